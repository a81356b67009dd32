package io.tallylens

import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executor
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class LiveStreamTest {
    private val direct = Executor(Runnable::run)

    private fun offer(counter: Counter, frames: Int, everyMs: Long): Int {
        val frame = TestModel.gray()
        var accepted = 0
        for (i in 1..frames) {
            if (counter.countAsync(frame, i * 33_000_000L)) accepted++
            Thread.sleep(everyMs)
        }
        return accepted
    }

    @Test
    fun everyFrameIsCountedOrToldAsDropped() {
        val told = AtomicInteger()
        val dropped = AtomicInteger()
        val counter = TestModel.counter(RunningMode.LIVE_STREAM)
        // The frame that is offered last waits until it is counted, and its update tells all drops before it.
        val last = CountDownLatch(1)
        counter.addListener(direct) { update ->
            told.incrementAndGet()
            dropped.addAndGet(update.dropped.total.toInt())
            Thread.sleep(20)
            if (update.timestampNanos == 120 * 33_000_000L) last.countDown()
        }
        offer(counter, 120, 2)
        assertTrue(last.await(60, TimeUnit.SECONDS))
        counter.close()
        val report = counter.report.value
        assertEquals(120L, report.frames + report.dropped + report.skipped)
        assertEquals(told.get().toLong(), report.frames)
        assertEquals("all are told", dropped.get().toLong(), report.dropped)
        assertTrue(report.dropped > 0)
    }

    @Test
    fun aListenerThatThrowsIsToldAndTheNextFrameGoesOn() {
        val errors = ConcurrentLinkedQueue<String>()
        val others = AtomicInteger()
        val counter = TestModel.counter(RunningMode.LIVE_STREAM)
        counter.addListener(direct, object : CountListener {
            override fun onUpdate(update: CountUpdate): Unit = throw IllegalArgumentException("mine")
            override fun onError(error: Exception) {
                errors += error.message.orEmpty()
            }
        })
        counter.addListener(direct) { others.incrementAndGet() }
        offer(counter, 20, 10)
        counter.close()
        assertEquals(counter.report.value.frames, errors.size.toLong())
        assertEquals(errors.size, others.get())
        assertEquals(setOf("mine"), errors.toSet())
    }

    @Test
    fun aFrameThatCannotBeCountedIsToldAndCounted() {
        val errors = ConcurrentLinkedQueue<Exception>()
        val counter = TestModel.counter(RunningMode.LIVE_STREAM)
        counter.addListener(direct, object : CountListener {
            override fun onUpdate(update: CountUpdate) = Unit
            override fun onError(error: Exception) {
                errors += error
            }
        })
        val short = Frame.bgr(TestModel.pixels(100), 320, 180)
        counter.countAsync(short, 1)
        while (errors.isEmpty()) Thread.sleep(5)
        counter.close()
        assertTrue(errors.first() is UsageException)
        assertEquals(1L, counter.report.value.dropped)
    }

    @Test
    fun aSlowCollectorGetsAllEventsAndDrops() = runBlocking {
        val counter = TestModel.counter(RunningMode.LIVE_STREAM)
        val pool = Executors.newSingleThreadExecutor()
        pool.execute { offer(counter, 60, 5) }
        val updates = counter.updates.take(3).toList()
        pool.shutdown()
        assertTrue(pool.awaitTermination(20, TimeUnit.SECONDS))
        counter.close()
        assertEquals(3, updates.size)
    }

    @Test
    fun aListenerMayCloseTheCounter() {
        val counter = TestModel.counter(RunningMode.LIVE_STREAM)
        val closed = java.util.concurrent.CountDownLatch(1)
        counter.addListener(direct) {
            counter.close()
            closed.countDown()
        }
        counter.countAsync(TestModel.gray(), 1)
        assertTrue(closed.await(10, TimeUnit.SECONDS))
    }

    @Test
    fun heatTakesStepsAndReturnsThem() {
        val counter = TestModel.counter(RunningMode.LIVE_STREAM)
        assertEquals(Level(), counter.level)
        counter.onThermalStatus(3)
        assertEquals(4, counter.level.rate)
        counter.onThermalStatus(4)
        assertTrue(counter.level.paused)
        assertEquals(false, counter.countAsync(TestModel.gray(), 1))
        counter.onThermalStatus(0)
        for (second in 1L..60L) counter.countAsync(TestModel.gray(), second * 1_000_000_000)
        assertEquals(1, counter.level.rate)
        counter.close()
        assertTrue(counter.report.value.skipped >= 1)
    }

    @Test
    fun littleHeadroomCountsAsModerate() {
        val counter = TestModel.counter(RunningMode.LIVE_STREAM)
        counter.onThermalHeadroom(0.96f)
        assertEquals(2, counter.level.rate)
        assertTrue(counter.level.reason.isNotEmpty())
        counter.close()
    }
}
