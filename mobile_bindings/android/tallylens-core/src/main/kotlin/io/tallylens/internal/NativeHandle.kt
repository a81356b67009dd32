package io.tallylens.internal

import java.io.Closeable
import java.lang.ref.PhantomReference
import java.lang.ref.ReferenceQueue
import java.util.Collections
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * Owns a native object: used by one thread at a time, freed once.
 *
 * `close` waits for a call in progress; later calls throw IllegalStateException. An owner that was
 * dropped without `close` is freed when the next handle is made: Android has `java.lang.ref.Cleaner`
 * from API 33 only, so that a queue of phantom references is drained instead.
 *
 * @param name what it is, for messages.
 * @param address of the native object, not 0.
 * @param destroy frees the native object.
 */
internal class NativeHandle(private val name: String, address: Long, destroy: (Long) -> Unit) : Closeable {
    private val lock = ReentrantLock()
    private val resource = Resource(this, address, destroy)

    init {
        drain()
        open.add(resource)
    }

    /** Run `call` with the address; no other thread runs one meanwhile. */
    inline fun <T> use(call: (Long) -> T): T = lock.withLock {
        val address = resource.address
        check(address != 0L) { "the $name is closed" }
        call(address)
    }

    override fun close() = lock.withLock { resource.free() }

    /** The native object, which outlives its owner by a moment. */
    internal class Resource(
        owner: NativeHandle, @Volatile var address: Long, private val destroy: (Long) -> Unit,
    ) : PhantomReference<NativeHandle>(owner, queue) {
        fun free() {
            val freed = synchronized(this) { address.also { address = 0L } }
            if (freed != 0L) destroy(freed)
            open.remove(this)
        }
    }

    internal companion object {
        private val queue = ReferenceQueue<NativeHandle>()
        private val open: MutableSet<Resource> = Collections.synchronizedSet(HashSet())

        /** The number of native objects that are not freed; for tests. */
        val live: Int get() = open.size

        /** Free what was dropped without `close`. */
        fun drain() {
            while (true) (queue.poll() as Resource? ?: return).free()
        }
    }
}
