package io.tallylens.internal

import io.tallylens.CountEvent
import io.tallylens.EventKind

/**
 * Passes the events of objects while their class is wanted, and withholds the others.
 *
 * When an object becomes one of a wanted class, its totals move there with everything that it did in this
 * period. Its withheld events then follow under the new class, before `RECLASSIFIED`, so that the events
 * that were passed always add up to the totals.
 */
internal class WantedEvents(private val wanted: Set<Int>, forgetS: Double) {
    private class Withheld(var seenNs: Long, val events: MutableList<CountEvent> = ArrayList())

    private val forgetNs = Math.rint(forgetS * 1e9).toLong()
    private val withheld = LinkedHashMap<Long, Withheld>()
    private var limit = FIRST_LIMIT

    /** The events that concern the totals of wanted classes. */
    fun choose(events: List<CountEvent>): List<CountEvent> = events.flatMap(::chooseOne)

    private fun chooseOne(event: CountEvent): List<CountEvent> {
        val now = event.classId in wanted
        if (event.kind == EventKind.RECLASSIFIED) {
            if (!now) return if (event.previousClassId in wanted) listOf(event) else emptyList()
            val before = withheld.remove(event.trackId)?.events.orEmpty()
            return before.map { it.copy(classId = event.classId) } + event
        }
        if (now) return listOf(event)
        withheld.getOrPut(event.trackId) { Withheld(event.timestampNanos) }.events.add(event)
        return emptyList()
    }

    /** Note which objects are in the frame, and forget those that cannot return. */
    fun note(tracks: List<RawTrack>, timeNs: Long) {
        if (withheld.isEmpty()) return
        for (track in tracks) withheld[track.trackId]?.seenNs = timeNs
        if (withheld.size <= limit) return
        withheld.values.removeAll { timeNs - it.seenNs > forgetNs }
        limit = maxOf(FIRST_LIMIT, 2 * withheld.size)
    }

    fun clear() = withheld.clear()

    /** The withheld events, each with the time when its object was last seen. */
    fun save(): List<Pair<Long, CountEvent>> =
        withheld.values.flatMap { one -> one.events.map { one.seenNs to it } }

    fun restore(saved: List<Pair<Long, CountEvent>>) {
        clear()
        for ((seenNs, event) in saved) {
            val here = withheld.getOrPut(event.trackId) { Withheld(seenNs) }
            here.seenNs = seenNs
            here.events.add(event)
        }
    }

    private companion object {
        const val FIRST_LIMIT = 1024
    }
}
