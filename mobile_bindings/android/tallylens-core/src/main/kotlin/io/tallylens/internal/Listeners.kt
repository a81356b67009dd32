package io.tallylens.internal

import io.tallylens.CountListener
import io.tallylens.CountUpdate
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.Executor
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/** Those who receive updates. One that throws is told so, and the others and the next frame go on. */
internal class Listeners {
    private class Entry(val executor: Executor, val listener: CountListener)

    private val entries = CopyOnWriteArrayList<Entry>()

    fun add(executor: Executor, listener: CountListener) {
        entries.add(Entry(executor, listener))
    }

    fun remove(listener: CountListener) {
        entries.removeAll { it.listener === listener }
    }

    fun tell(update: CountUpdate) = each { entry ->
        try {
            entry.listener.onUpdate(update)
        } catch (error: Exception) {
            entry.listener.onError(error)
        }
    }

    fun fail(error: Exception) = each { it.listener.onError(error) }

    private inline fun each(crossinline call: (Entry) -> Unit) {
        for (entry in entries) {
            try {
                entry.executor.execute { runCatching { call(entry) } }
            } catch (rejected: RuntimeException) {
                // An executor that has been shut down: its owner no longer listens.
                entries.remove(entry)
            }
        }
    }

    /** Updates while it is collected; those that come faster are merged. */
    fun flow(): Flow<CountUpdate> = flow {
        val pending = Pending()
        add(Executor(Runnable::run), pending)
        try {
            for (signal in pending.signal) pending.take()?.let { emit(it) }
        } finally {
            remove(pending)
        }
    }

    /** The updates that a collector has not seen, as one. */
    private class Pending : CountListener {
        val signal = Channel<Unit>(Channel.CONFLATED)
        private var update: CountUpdate? = null

        override fun onUpdate(update: CountUpdate) {
            synchronized(this) { this.update = this.update?.let { merged(it, update) } ?: update }
            signal.trySend(Unit)
        }

        fun take(): CountUpdate? = synchronized(this) { update.also { update = null } }

        private fun merged(before: CountUpdate, after: CountUpdate) = after.copy(
            events = (before.events + after.events).takeLast(MAX_EVENTS),
            dropped = before.dropped + after.dropped,
        )
    }

    private companion object {
        const val MAX_EVENTS = 65_536
    }
}
