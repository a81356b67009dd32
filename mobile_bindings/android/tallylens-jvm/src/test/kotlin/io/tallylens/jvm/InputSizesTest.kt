package io.tallylens.jvm

import io.tallylens.Counter
import io.tallylens.CounterOptions
import io.tallylens.CountUpdate
import io.tallylens.Detection
import io.tallylens.Frame
import io.tallylens.Model
import io.tallylens.RunningMode
import io.tallylens.internal.Detectors
import io.tallylens.internal.ImageFields
import io.tallylens.internal.InputSize
import io.tallylens.internal.Metadata
import io.tallylens.internal.fittingInput
import io.tallylens.internal.smallerInputs
import java.io.File
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.Executor
import java.util.concurrent.Semaphore
import java.util.concurrent.TimeUnit
import kotlinx.serialization.json.JsonArray
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The rectangle that fits the frames, and the governor's smaller inputs. */
class InputSizesTest {
    private val model = Model.load(File(System.getProperty("tallylens.repository"), "sdk/built_in/tallylens-demo-int8.tflite"))
    private val street = FrameFile(File(System.getProperty("tallylens.street")))

    private fun metadata(height: Int, width: Int) = Metadata(
        listOf("car"), height, width, listOf(8, 16, 32), List(3) { listOf(1.0, 1.0) }, listOf("a", "b", "c"), "NHWC", "int8",
        "", "", "", JsonArray(emptyList()),
    )

    @Test
    fun theInputFitsTheFrames() {
        val square = metadata(640, 640)
        assertEquals(InputSize(384, 640), square.fittingInput(1920, 1080))
        assertEquals(InputSize(640, 384), square.fittingInput(1080, 1920))
        assertEquals(InputSize(480, 640), square.fittingInput(640, 480))
        assertEquals(InputSize(640, 640), square.fittingInput(500, 500))
        assertEquals(InputSize(32, 640), square.fittingInput(8000, 20))
        // A square would have more pixels than a rectangle of the model.
        assertEquals(InputSize(384, 640), metadata(384, 640).fittingInput(500, 500))
        assertEquals(InputSize(384, 640), metadata(384, 640).fittingInput(1280, 720))
    }

    @Test
    fun smallerInputsAreMultiplesOfTheStride() {
        val square = metadata(640, 640)
        assertEquals(listOf(InputSize(288, 480), InputSize(192, 320)), square.smallerInputs(InputSize(384, 640)))
        assertEquals(emptyList<InputSize>(), square.smallerInputs(InputSize(32, 32)))
        assertEquals(listOf(InputSize(64, 64)), square.smallerInputs(InputSize(96, 96)).takeLast(1))
    }

    private fun detections(options: CounterOptions, frame: Frame): List<List<Detection>> = Detectors(model, options).use { all ->
        all.fit(frame.uprightWidth, frame.uprightHeight, smaller = true)
        assertEquals(3, all.sizes.size)
        assertEquals(all.sizes, all.sizes.sortedByDescending { it.pixels })
        all.sizes.indices.map { index ->
            val detector = all.detector(index)
            assertEquals(all.sizes[index], detector.size)
            val buffer = detector.newBuffer()
            val planes = Array(3) { frame.planes.getOrNull(it)?.bytes }
            detector.detect(ImageFields().apply { put(frame) }, planes, buffer)
            buffer.detections()
        }
    }

    @Test
    fun aLevelOfASmallerInputUsesIt() {
        val options = CounterOptions.Builder().runningMode(RunningMode.LIVE_STREAM).budgetMs(1e-6)
            .liteRtLibrary(System.getProperty("tallylens.litert")).build()
        val frame = street[street.count / 2].second
        val bySize = detections(options, frame)
        assertEquals("each size finds objects, in other pixels", 3, bySize.filter { it.isNotEmpty() }.distinct().size)
        val updates = CopyOnWriteArrayList<CountUpdate>()
        val counted = Semaphore(0)
        Counter.create(model, options).use { counter ->
            counter.addListener(Executor(Runnable::run)) {
                updates += it
                counted.release()
            }
            // One frame at a time, so that each is counted at the level that was told before.
            for (i in 1L..1200) {
                if (counter.countAsync(frame, i * 33_000_000)) assertTrue(counted.tryAcquire(60, TimeUnit.SECONDS))
                if (updates.isNotEmpty() && updates.last().level.size == 2) break
            }
        }
        assertEquals(listOf(0, 1, 2), updates.map { it.level.size }.distinct())
        for (update in updates) assertEquals(bySize[update.level.size], update.detections)
    }
}
