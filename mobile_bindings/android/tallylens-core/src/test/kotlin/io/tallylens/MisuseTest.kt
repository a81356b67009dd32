package io.tallylens

import io.tallylens.internal.directBuffer
import java.util.Random
import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** What must neither end the process nor leak; also run on a build with sanitizers. */
class MisuseTest {
    private val options = CounterOptions.Builder().lines(Line(0f, 0.5f, 1f, 0.5f)).build()

    @Test
    fun tenThousandCountersAreFreed() {
        val create = {
            Counter.fromDetections(listOf("car"), options).use { counter ->
                counter.countDetections(listOf(Detection(1f, 1f, 9f, 9f, 0.9f, 0)), 320, 240, 1)
                counter.saveState()
            }
        }
        // The JVM's heap and the allocator first grow to the size that they keep.
        repeat(ROUNDS) { repeat(10_000) { create() } }
        val before = settled()
        repeat(10_000) { create() }
        val grown = settled() - before
        assertTrue("resident memory grew by $grown bytes", grown < LIMIT_BYTES)
    }

    private fun settled(): Long {
        System.gc()
        System.runFinalization()
        return List(5) { Thread.sleep(20).let { TestModel.residentBytes() } }.minOrNull()!!
    }

    @Test
    fun modelsAreOpenedAndClosed() {
        val model = TestModel.load()
        repeat(if (SANITIZED) 30 else 100) {
            Counter.create(model, TestModel.options(RunningMode.IMAGE).build()).use { it.detect(TestModel.gray()) }
        }
    }

    @Test
    fun twoHundredDamagedModels() {
        val bytes = TestModel.file.readBytes()
        val random = Random(16)
        var refused = 0
        repeat(200) {
            val damaged = directBuffer(bytes.size)
            damaged.put(bytes)
            repeat(1 + random.nextInt(8)) {
                // Mostly the tables at both ends, where the structure is.
                val at = if (random.nextBoolean()) random.nextInt(4096) else bytes.size - 1 - random.nextInt(60_000)
                damaged.put(at, random.nextInt(256).toByte())
            }
            try {
                damaged.clear()
                val options = TestModel.options(RunningMode.IMAGE).build()
                Counter.create(Model.of(damaged), options).use { it.detect(TestModel.gray(64, 64)) }
            } catch (refusal: TallyLensException) {
                refused++
                assertTrue(refusal.message!!.endsWith(refusal.remedy))
            }
        }
        assertTrue("$refused of 200 were refused", refused in 1..199)
    }

    @Test
    fun randomCallsNeitherCrashNorLoseCount() {
        val random = Random(7)
        repeat(300) {
            val counter = Counter.fromDetections(listOf("a", "b"), options)
            var frames = 0L
            repeat(random.nextInt(20)) {
                val boxes = List(random.nextInt(400)) {
                    val x = random.nextFloat() * 1e6f
                    Detection(x, -x, x + random.nextFloat(), abs(x), random.nextFloat(), random.nextInt(2))
                }
                counter.countDetections(boxes, 320, 240, ++frames * 1_000_000)
            }
            assertEquals(frames, counter.currentReport().frames)
            counter.close()
        }
    }

    private companion object {
        /** Sanitizers and checks keep memory of their own; `check` says so. */
        val SANITIZED = System.getProperty("tallylens.instrumented") != null
        val LIMIT_BYTES = if (SANITIZED) 400L shl 20 else 2L shl 20
        const val ROUNDS = 2
    }
}
