package io.tallylens.internal

import io.tallylens.Drops
import io.tallylens.Frame
import java.nio.ByteBuffer
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.thread
import kotlin.concurrent.withLock

/**
 * One frame in work, one waiting: a newer frame replaces the one that waits. Every frame that is offered is
 * counted, dropped or skipped, and the numbers add up.
 *
 * @param wants whether to process a frame of this capture time.
 * @param process counts a frame, on the queue's own thread; it does not throw.
 */
internal class LiveQueue(private val wants: (Long) -> Boolean, private val process: (Job) -> Unit) {
    /** A frame that waits, with the time of its arrival. */
    class Job(val frame: Frame, val timestampNanos: Long, val owned: Boolean) {
        val arrivedNanos: Long = System.nanoTime()

        /** The buffers of its planes. */
        val memory: List<ByteBuffer> get() = frame.planes.map { it.bytes }
    }

    private val lock = ReentrantLock()
    private val changed = lock.newCondition()
    private var waiting: Job? = null
    private var lastNanos = Long.MIN_VALUE
    private var closed = false
    private var dropped = Drops()
    private var spare: List<ByteBuffer>? = null
    private val worker: Thread = thread(name = "tallylens", isDaemon = true, block = ::work)

    /** All drops so far. */
    val drops: Drops get() = lock.withLock { dropped }

    /**
     * Offer a frame; false if it is dropped at once.
     *
     * Its memory is read before this returns, unless it has `onReleased`, which then runs once it is not read
     * any more, also when it is dropped.
     */
    fun offer(frame: Frame, timestampNanos: Long): Boolean {
        var released: Frame? = frame
        try {
            lock.withLock {
                check(!closed) { "the counter is closed" }
                val loss = lossOf(timestampNanos)
                if (loss != null) {
                    dropped += loss
                    return false
                }
                lastNanos = timestampNanos
                val replaced = waiting
                waiting = job(frame, timestampNanos, replaced)
                if (replaced != null) dropped += Drops(busy = 1)
                released = replaced?.frame
                changed.signalAll()
                return true
            }
        } finally {
            released?.onReleased?.run()
        }
    }

    private fun lossOf(timestampNanos: Long): Drops? = when {
        timestampNanos <= lastNanos -> Drops(late = 1)
        !wants(timestampNanos) -> {
            lastNanos = timestampNanos
            Drops(governor = 1)
        }
        else -> null
    }

    /** The frame in place if its owner waits for it, else a copy in memory that is used again. */
    private fun job(frame: Frame, timestampNanos: Long, replaced: Job?): Job {
        if (frame.onReleased != null) return Job(frame, timestampNanos, owned = false)
        if (replaced != null && replaced.owned) spare = replaced.memory
        val copy = frame.copied(spare)
        spare = null
        return Job(copy, timestampNanos, owned = true)
    }

    /** A frame that was offered earlier could not be counted. */
    fun failed() = lock.withLock { dropped += Drops(failed = 1) }

    /** Drops of an earlier count, which goes on here. */
    fun resume(before: Drops) = lock.withLock { dropped = before }

    private fun work() {
        while (true) {
            val job = lock.withLock {
                while (waiting == null && !closed) changed.await()
                waiting.also { waiting = null } ?: return
            }
            try {
                process(job)
            } finally {
                job.frame.onReleased?.run()
                if (job.owned) lock.withLock { spare = job.memory }
            }
        }
    }

    /** Drop the frame that waits, and wait for the one in work, unless this is the worker itself. */
    fun close() {
        val left = lock.withLock {
            if (closed) return
            closed = true
            changed.signalAll()
            waiting.also {
                waiting = null
                if (it != null) dropped += Drops(busy = 1)
            }
        }
        left?.frame?.onReleased?.run()
        if (Thread.currentThread() !== worker) worker.join()
    }
}
