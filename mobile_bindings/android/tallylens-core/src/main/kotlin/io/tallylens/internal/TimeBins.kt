package io.tallylens.internal

import kotlin.math.floor

private const val MAX_BINS = 86_400 // a day of seconds
private const val HOUR = 3600
private const val DAY = 86_400

/** Width of saved bins in seconds by minimum age, as in saved counts of Python. */
private val WIDTH_BY_AGE = listOf(0 to 1, HOUR to 30, DAY to 300, 5 * DAY to HOUR, 30 * DAY to 6 * HOUR)

/**
 * The maximum of numbers by name, one set for each `seconds` of time that had any, in a bounded number
 * of bins, whose width doubles when there are too many.
 */
internal class TimeBins(private val maximum: Int = MAX_BINS) {
    var seconds: Int = 1
        private set
    private var bins = sortedMapOf<Int, MutableMap<String, Long>>()

    /** Add `numbers` at `timeS` seconds from the start. */
    fun add(timeS: Double, numbers: ClassCounts) {
        merge(floor(timeS / seconds).toInt(), numbers)
        while (bins.size > maximum) widen()
    }

    private fun merge(index: Int, numbers: ClassCounts) {
        val here = bins.getOrPut(index) { LinkedHashMap() }
        for ((name, number) in numbers) here[name] = maxOf(here[name] ?: number, number)
    }

    private fun widen() {
        seconds *= 2
        val narrow = bins
        bins = sortedMapOf()
        for ((index, numbers) in narrow) merge(index / 2, numbers)
    }

    /** Start of each bin in seconds and its numbers, in order of time. */
    fun entries(): List<Pair<Double, ClassCounts>> =
        bins.map { (index, numbers) -> (index.toDouble() * seconds) to LinkedHashMap(numbers) }

    /** The bins to save, older ones merged into wider ones. */
    fun save(): Map<Int, ClassCounts> {
        val now = if (bins.isEmpty()) 0 else bins.lastKey()
        val narrow = bins
        bins = sortedMapOf()
        for ((index, numbers) in narrow) {
            val age = (now - index).toLong() * seconds
            val width = maxOf(WIDTH_BY_AGE.last { age >= it.first }.second / seconds, 1)
            merge(index - index % width, numbers)
        }
        return bins
    }

    fun restore(width: Int, saved: Map<Int, ClassCounts>) {
        seconds = width
        bins = sortedMapOf()
        for ((index, numbers) in saved) merge(index, numbers)
    }
}
