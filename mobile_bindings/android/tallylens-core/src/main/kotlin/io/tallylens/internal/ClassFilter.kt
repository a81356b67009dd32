package io.tallylens.internal

import io.tallylens.Detection
import io.tallylens.UsageException

/** Numbers of objects by class name. */
internal typealias ClassCounts = Map<String, Long>

/**
 * Separates the classes that are counted from the others.
 *
 * @param names the model's class names, by id.
 * @param classes names of the classes to count; null counts all.
 */
internal class ClassFilter(val names: List<String>, classes: Collection<String>?) {
    /** Ids of the classes that are counted. */
    val wanted: Set<Int> = wantedIds(classes)
    val takesAll: Boolean = wanted.size == names.size

    private fun wantedIds(classes: Collection<String>?): Set<Int> {
        if (classes == null) return names.indices.toSet()
        for (name in classes.sorted()) {
            if (name !in names) {
                val some = names.take(5).joinToString(", ") + if (names.size > 5) ", ..." else ""
                throw UsageException("unknown class '$name'", "The model has $some")
            }
        }
        return names.indices.filter { names[it] in classes }.toSet()
    }

    fun detections(found: List<Detection>): List<Detection> =
        if (takesAll) found else found.filter { it.classId in wanted }

    fun tracks(found: List<RawTrack>): List<RawTrack> =
        if (takesAll) found else found.filter { it.classId in wanted }

    /** Totals by class name: wanted classes above zero, in the model's order. */
    fun named(totals: LongArray): ClassCounts {
        val counts = LinkedHashMap<String, Long>()
        for (id in totals.indices) {
            if (totals[id] != 0L && id in wanted) counts[names[id]] = (counts[names[id]] ?: 0L) + totals[id]
        }
        return counts
    }

    /** Totals by class name of the classes that were not asked for. */
    fun unwanted(totals: LongArray): ClassCounts =
        totals.indices.filter { totals[it] != 0L && it !in wanted }.associate { names[it] to totals[it] }
}
