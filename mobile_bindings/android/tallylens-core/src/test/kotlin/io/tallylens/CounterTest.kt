package io.tallylens

import io.tallylens.cloud.Transport
import io.tallylens.internal.NativeHandle
import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicReference
import kotlin.concurrent.thread
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class CounterTest {
    private val names = listOf("person", "car")

    private fun box(y: Float, classId: Int = 0) = listOf(Detection(100f, y - 60, 140f, y, 0.9f, classId))

    private fun walk(counter: Counter, frames: IntRange): List<CountEvent> = frames.flatMap { i ->
        counter.countDetections(box(100f + 4 * i), 320, 400, i * 40_000_000L).events
    }

    private fun options() = CounterOptions.Builder().lines(Line(0f, 0.5f, 1f, 0.5f, "road"))

    @Test
    fun anObjectThatCrossesIsCounted() {
        Counter.fromDetections(names, options().build()).use { counter ->
            val events = walk(counter, 1..60)
            assertEquals(listOf(EventKind.CONFIRMED, EventKind.CROSSED_IN), events.map { it.kind })
            assertEquals("road", events[1].region)
            val report = counter.currentReport()
            assertEquals(mapOf("person" to 1L), report.unique)
            assertEquals(mapOf("person" to 1L), report.lines[0].crossedIn)
        }
    }

    @Test
    fun aServerThatCannotBeAskedIsRefused() {
        val transport = Transport { _, _, _, _ -> throw AssertionError("a connection was opened") }
        for (url in listOf("http://counter.example", "wss://counter.example/path", "ws://counter.example")) {
            assertThrows(url, CloudException::class.java) { OffloadOptions(url, "key", transport) }
        }
        assertThrows(UsageException::class.java) { OffloadOptions("wss://a", "key", transport, deadlineSeconds = 0.0) }
        assertThrows(UsageException::class.java) { OffloadOptions("wss://a", "key", transport, share = 1.5) }
    }

    @Test
    fun aSavedCountGoesOn() {
        val whole = Counter.fromDetections(names, options().build())
        val all = walk(whole, 1..60)
        val first = Counter.fromDetections(names, options().build())
        val before = walk(first, 1..30)
        val state = first.saveState()
        first.close()
        assertTrue("${state.size} bytes", state.size <= 3072)
        val second = Counter.fromDetections(names, options().build())
        second.restoreState(state)
        assertEquals(all, before + walk(second, 31..60))
        val keys: (CountReport) -> CountReport = { it.copy(speed = Speed()) }
        assertEquals(keys(whole.currentReport()), keys(second.currentReport()))
        assertArrayEquals(whole.saveState(), second.saveState())
    }

    @Test
    fun aDamagedStateIsRefusedAndTheCounterIsAsItWas() {
        val counter = Counter.fromDetections(names, options().build())
        walk(counter, 1..30)
        val state = counter.saveState()
        for (i in state.indices) {
            val damaged = state.copyOf().also { it[i] = (it[i] + 1).toByte() }
            assertThrows(StateException::class.java) { counter.restoreState(damaged) }
        }
        for (length in listOf(0, 1, 16, state.size - 1)) {
            assertThrows(StateException::class.java) { counter.restoreState(state.copyOf(length)) }
        }
        assertArrayEquals(state, counter.saveState())
    }

    @Test
    fun aStateOfOtherRegionsIsRefused() {
        val counter = Counter.fromDetections(names, options().build())
        walk(counter, 1..30)
        val other = Counter.fromDetections(names, CounterOptions.Builder().build())
        assertThrows(StateException::class.java) { other.restoreState(counter.saveState()) }
        val renamed = Counter.fromDetections(listOf("dog", "cat"), options().build())
        assertThrows(StateException::class.java) { renamed.restoreState(counter.saveState()) }
    }

    @Test
    fun classesThatAreNotWantedAreNotCounted() {
        Counter.fromDetections(names, options().classes("car").build()).use { counter ->
            assertEquals(emptyList<CountEvent>(), walk(counter, 1..60))
            val report = counter.currentReport()
            assertEquals(emptyMap<String, Long>(), report.unique)
            assertEquals(listOf("no object of the chosen classes, but 1 person"), report.warnings)
            assertEquals(mapOf("person" to 60L), report.uncounted.otherClasses)
        }
    }

    @Test
    fun refusals() {
        val counter = Counter.fromDetections(names, options().build())
        counter.countDetections(emptyList(), 320, 400, 5)
        val late = assertThrows(TimestampException::class.java) { counter.countDetections(emptyList(), 320, 400, 5) }
        assertEquals("the timestamp 5 ns is not later than 5 ns. Give each frame its capture time, in order", late.message)
        val usage: (() -> Unit) -> String = { call -> assertThrows(UsageException::class.java) { call() }.message!! }
        assertTrue("320x401" in usage { counter.countDetections(emptyList(), 320, 401, 6) })
        assertTrue("class id" in usage { counter.countDetections(box(100f, 2), 320, 400, 6) })
        assertTrue("finite" in usage { counter.countDetections(box(Float.NaN), 320, 400, 6) })
        assertTrue("IMAGE" in usage { counter.detect(TestModel.gray()) })
        assertTrue("unknown class 'dog'" in usage { Counter.fromDetections(names, options().classes("dog").build()) })
        assertTrue("no length" in usage { Line(0.5f, 0.5f, 0.5f, 0.5f) })
        assertTrue("mix fractions" in usage { Line(0f, 0.5f, 300f, 0.5f) })
        assertTrue("collinear" in usage { Zone(listOf(0f, 0f, 0.5f, 0.5f, 1f, 1f)) })
        assertTrue("cross" in usage { Zone(listOf(0f, 0f, 1f, 1f, 1f, 0f, 0f, 1f)) })
        val outside = Counter.fromDetections(names, CounterOptions.Builder().lines(Line(5f, 900f, 50f, 900f)).build())
        assertTrue("outside the frame" in usage { outside.countDetections(emptyList(), 320, 400, 6) })
    }

    @Test
    fun aCallAfterCloseThrows() {
        val counter = TestModel.counter(RunningMode.VIDEO)
        counter.count(TestModel.gray(), 1)
        counter.close()
        counter.close()
        assertThrows(IllegalStateException::class.java) { counter.count(TestModel.gray(), 2) }
        assertThrows(IllegalStateException::class.java) { counter.saveState() }
        assertThrows(IllegalStateException::class.java) { counter.onThermalStatus(1) }
    }

    @Test
    fun closeWaitsForACallInProgress() {
        repeat(20) {
            val counter = TestModel.counter(RunningMode.VIDEO)
            val unexpected = AtomicReference<Throwable>()
            val begun = CountDownLatch(1)
            val worker = thread {
                try {
                    for (i in 1L..1000L) {
                        counter.count(TestModel.gray(), i)
                        begun.countDown()
                    }
                } catch (closed: IllegalStateException) {
                    // as promised
                } catch (other: Throwable) {
                    unexpected.set(other)
                }
            }
            assertTrue(begun.await(10, TimeUnit.SECONDS))
            counter.close()
            worker.join()
            assertEquals(null, unexpected.get())
        }
    }

    @Test
    fun shortBuffersAreRefused() {
        TestModel.counter(RunningMode.IMAGE).use { counter ->
            val short = TestModel.pixels(1000)
            val frames = listOf(
                Frame.bgr(short, 320, 180), Frame.rgba(short, 320, 180), Frame.nv21(short, short, 320, 180),
                Frame.yuv420(short, short, short, 320, 180, 320, 160, 1), Frame.bgr(short, 4, 4, stride = 3),
                Frame.yuv420(short, short, short, 16, 16, 16, 8, 99), Frame.bgr(short, 4, 4, stride = -12),
            )
            for (frame in frames) assertThrows(UsageException::class.java) { counter.detect(frame) }
            assertEquals(emptyList<Detection>(), counter.detect(TestModel.gray()))
        }
    }

    @Test
    fun damagedModelsAreRefused() {
        val bytes = TestModel.file.readBytes()
        val files = listOf(ByteArray(0), ByteArray(7), ByteArray(100), "TFL3TFL3TFL3".toByteArray(), bytes.copyOf(1000))
        for (damaged in files) {
            assertThrows(TallyLensException::class.java) {
                Counter.create(Model.of(java.nio.ByteBuffer.wrap(damaged)), CounterOptions.Builder().build()).close()
            }
        }
        assertThrows(EngineException::class.java) {
            Counter.create(TestModel.load(), CounterOptions.Builder().liteRtLibrary("/no/libLiteRt.so").build())
        }
    }

    @Test
    fun counterThatIsDroppedIsFreedLater() {
        NativeHandle.drain()
        val before = NativeHandle.live
        repeat(20) { Counter.fromDetections(names, options().build()).countDetections(emptyList(), 32, 40, 1) }
        for (i in 1..50) {
            System.gc()
            Thread.sleep(20)
            NativeHandle.drain()
            if (NativeHandle.live <= before) return
        }
        assertEquals(before, NativeHandle.live)
    }

    @Test
    fun modelFilesAreMapped() {
        assertEquals(TestModel.file.path, TestModel.load().name)
        assertThrows(java.io.IOException::class.java) { Model.load(File("/no/model.tflite")) }
    }
}
