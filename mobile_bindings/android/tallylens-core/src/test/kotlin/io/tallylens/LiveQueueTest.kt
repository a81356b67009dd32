package io.tallylens

import io.tallylens.internal.LiveQueue
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Semaphore
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class LiveQueueTest {
    private val counted = CopyOnWriteArrayList<Long>()
    private val released = CopyOnWriteArrayList<Long>()
    private val started = Semaphore(0)
    private val proceed = Semaphore(0)

    private fun queue(wants: (Long) -> Boolean = { true }) = LiveQueue(wants) { job ->
        started.release()
        proceed.acquire()
        counted += job.timestampNanos
    }

    private fun frame(timestamp: Long) = TestModel.gray(4, 4).onReleased { released += timestamp }

    @Test
    fun aNewerFrameReplacesTheOneThatWaits() {
        val queue = queue()
        assertTrue(queue.offer(frame(1), 1))
        assertTrue(started.tryAcquire(5, TimeUnit.SECONDS))
        for (time in 2L..4L) assertTrue(queue.offer(frame(time), time))
        assertEquals(listOf(2L, 3L), released)
        proceed.release(2)
        assertTrue(started.tryAcquire(5, TimeUnit.SECONDS))
        queue.close()
        assertEquals(listOf(1L, 4L), counted)
        assertEquals(setOf(1L, 2L, 3L, 4L), released.toSet())
        assertEquals(Drops(busy = 2), queue.drops)
    }

    @Test
    fun aLateFrameIsDroppedAndReleased() {
        val queue = queue()
        proceed.release(9)
        assertTrue(queue.offer(frame(5), 5))
        assertFalse(queue.offer(frame(5), 5))
        assertFalse(queue.offer(frame(4), 4))
        queue.close()
        assertEquals(Drops(late = 2), queue.drops.copy(busy = 0))
        assertEquals(3, released.size)
    }

    @Test
    fun framesThatTheGovernorDoesNotWantAreSkipped() {
        val queue = queue { it % 2 == 0L }
        proceed.release(99)
        for (time in 1L..10L) queue.offer(frame(time), time)
        queue.close()
        assertEquals(5, queue.drops.governor)
        assertEquals(10, counted.size + queue.drops.total)
        assertEquals(10, released.size)
    }

    @Test
    fun aFrameWithoutAnOwnerIsCopiedBeforeTheCallReturns() {
        val seen = CountDownLatch(1)
        var first: Byte = 0
        val queue = LiveQueue({ true }) { job ->
            proceed.acquire()
            first = job.frame.planes[0].bytes.get(0)
            seen.countDown()
        }
        val pixels = TestModel.pixels(48)
        pixels.put(0, 7)
        queue.offer(Frame.bgr(pixels, 4, 4), 1)
        pixels.put(0, 9)
        proceed.release()
        assertTrue(seen.await(5, TimeUnit.SECONDS))
        assertEquals(7.toByte(), first)
        queue.close()
    }

    @Test
    fun closingDropsTheFrameThatWaits() {
        val queue = queue()
        queue.offer(frame(1), 1)
        assertTrue(started.tryAcquire(5, TimeUnit.SECONDS))
        queue.offer(frame(2), 2)
        proceed.release(2)
        queue.close()
        assertEquals(2, counted.size + queue.drops.total)
        assertEquals(2, released.size)
        assertThrows(IllegalStateException::class.java) { queue.offer(frame(3), 3) }
    }
}
