package io.tallylens.android

import android.graphics.Rect
import androidx.camera.core.ImageInfo
import androidx.camera.core.ImageProxy
import io.tallylens.Counter
import io.tallylens.CounterOptions
import io.tallylens.Model
import io.tallylens.RunningMode
import java.io.File
import java.nio.ByteBuffer
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executor
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** CameraX's frames: each is closed before the analyzer returns, and none is lost uncounted. */
class CountAnalyzerTest {
    private class Plane(bytes: Int, private val stride: Int, private val step: Int) : ImageProxy.PlaneProxy {
        private val memory = ByteBuffer.allocateDirect(bytes)

        override fun getRowStride() = stride
        override fun getPixelStride() = step
        override fun getBuffer() = memory
    }

    private class Image(private val nanos: Long, private val parts: Array<ImageProxy.PlaneProxy>) : ImageProxy {
        var closed = 0

        override fun close() {
            closed++
        }

        override fun getCropRect() = Rect().apply {
            left = 1
            top = 1
            right = WIDTH - 1
            bottom = HEIGHT - 1
        }

        override fun getFormat() = 35
        override fun getHeight() = HEIGHT
        override fun getWidth() = WIDTH
        override fun getPlanes() = parts
        override fun getImageInfo() = object : ImageInfo {
            override fun getTimestamp() = nanos
            override fun getRotationDegrees() = 90
        }
    }

    private val planes: Array<ImageProxy.PlaneProxy> = arrayOf(
        Plane(STRIDE * HEIGHT, STRIDE, 1), Plane(STRIDE * HEIGHT / 2 - 1, STRIDE, 2), Plane(STRIDE * HEIGHT / 2 - 1, STRIDE, 2),
    )

    private fun counter(): Counter {
        val model = File(System.getProperty("tallylens.repository") ?: "../../..", "sdk/built_in/tallylens-demo-int8.tflite")
        val options = CounterOptions.Builder().runningMode(RunningMode.LIVE_STREAM)
            .liteRtLibrary(System.getProperty("tallylens.litert"))
        return Counter.create(Model.load(model), options.build())
    }

    @Test
    fun everyImageIsClosedAndEveryFrameIsAccountedFor() {
        val counter = counter()
        val offered = CountDownLatch(1)
        // The first frame that is counted holds up the others until all have come.
        counter.addListener(Executor(Runnable::run)) { offered.await() }
        val analyzer = CountAnalyzer(counter)
        for (i in 1..FRAMES) {
            val image = Image(i * 33_000_000L, planes)
            analyzer.analyze(image)
            assertEquals(1, image.closed)
        }
        offered.countDown()
        counter.close()
        val report = counter.report.value
        assertEquals(FRAMES, report.frames + report.dropped + report.skipped)
        assertTrue("${report.frames} frames were counted", report.frames in 0..2L)
    }

    @Test
    fun anImageThatCannotBeReadIsClosed() {
        counter().use { counter ->
            val image = Image(1, arrayOf(planes[0], planes[1]))
            assertThrows(RuntimeException::class.java) { CountAnalyzer(counter).analyze(image) }
            assertEquals(1, image.closed)
        }
    }

    private companion object {
        const val WIDTH = 320
        const val HEIGHT = 180
        const val STRIDE = 384
        const val FRAMES = 200L
    }
}
