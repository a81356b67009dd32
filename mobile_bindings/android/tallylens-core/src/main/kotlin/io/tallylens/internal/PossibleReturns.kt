package io.tallylens.internal

import io.tallylens.CountEvent
import io.tallylens.EventKind
import kotlin.math.hypot
import kotlin.math.sqrt

private const val MAX_DISTANCE = 1.5f // in sizes of the larger box
private const val MAX_RATIO = 1.5f // of the sizes
private const val FIRST_CAPACITY = 256
private const val NOBODY = -1L

/**
 * Counts the objects that could be the same as one that was counted before in this period.
 *
 * An object that leaves the frame, or is lost for too long, gets a new number when it returns. A new object
 * could be the same if one of its class and a similar size was last seen near there at most `rememberS`
 * earlier. Each lost object returns at most once.
 */
internal class PossibleReturns(rememberS: Double) {
    /** Where and when an object that was confirmed in this period was seen last. */
    class Seen(var track: Long, var timeNs: Long, var classId: Int, val box: FloatArray)

    /** A new object that could be one that was counted before. */
    class Return(val timestampNs: Long, val classId: Int, val trackId: Long)

    /** How many objects of each class id could be. */
    val numbers = LinkedHashMap<Int, Long>()

    private val rememberNs = Math.rint(rememberS * 1e9).toLong()
    private val rows = ArrayList<Seen>()
    private val rowOf = HashMap<Long, Int>()
    private val free = ArrayList<Int>()
    private val returns = LinkedHashMap<Long, Return>() // by the track of the object before

    /** Note a frame: its confirmed tracks and its events, both of all classes. */
    fun note(frameNs: Long, tracks: List<RawTrack>, events: List<CountEvent>) {
        val starts = HashMap<Long, Long>()
        for (event in events) {
            if (event.kind == EventKind.CONFIRMED) {
                starts[event.trackId] = event.timestampNanos - Math.rint(event.ageSeconds.toDouble() * 1e9).toLong()
            } else if (event.kind == EventKind.RECLASSIFIED) {
                reclassify(event)
            }
        }
        if (starts.isNotEmpty() || returns.isNotEmpty()) startAndResume(frameNs, tracks, starts)
        for (track in tracks) {
            val row = rows[rowOf[track.trackId] ?: continue]
            row.timeNs = frameNs
            row.classId = track.classId
            track.copyBox(row.box)
        }
    }

    private fun startAndResume(frameNs: Long, tracks: List<RawTrack>, starts: Map<Long, Long>) {
        for (track in tracks) {
            val start = starts[track.trackId]
            if (start != null) {
                appear(track, start)
            } else {
                // It was lost and has been found again: the other object is another.
                val wrong = returns.remove(track.trackId) ?: continue
                add(wrong.classId, -1)
            }
            addRow(track.trackId, frameNs)
        }
    }

    private fun appear(track: RawTrack, startNs: Long) {
        val box = FloatArray(4).also(track::copyBox)
        var best = -1
        var least = Float.POSITIVE_INFINITY
        for ((i, row) in rows.withIndex()) {
            val age = startNs - row.timeNs
            if (row.track == NOBODY || age <= 0 || age > rememberNs || row.classId != track.classId) continue
            val distance = distance(row.box, box)
            if (best < 0 || distance < least) {
                best = i
                least = distance
            }
        }
        if (best < 0 || least > MAX_DISTANCE) return
        returns[remove(best)] = Return(startNs, track.classId, track.trackId)
        add(track.classId, 1)
    }

    private fun add(classId: Int, number: Long) {
        numbers[classId] = (numbers[classId] ?: 0L) + number
    }

    private fun addRow(track: Long, frameNs: Long) {
        if (free.isEmpty()) forget(frameNs)
        val row = free.removeAt(free.size - 1)
        rowOf[track] = row
        rows[row].track = track
        rows[row].timeNs = frameNs
    }

    private fun remove(row: Int): Long {
        val track = rows[row].track
        rows[row].track = NOBODY
        rowOf.remove(track)
        free.add(row)
        return track
    }

    /** Drop what is too old, and double the rows if few are free then. */
    private fun forget(frameNs: Long) {
        val sinceNs = frameNs - rememberNs
        returns.values.removeAll { it.timestampNs < sinceNs }
        for (i in rows.indices) if (rows[i].track != NOBODY && rows[i].timeNs < sinceNs) remove(i)
        val size = rows.size
        if (free.size > size / 2) return
        repeat(maxOf(size, FIRST_CAPACITY)) { rows.add(Seen(NOBODY, 0, 0, FloatArray(4))) }
        for (i in size until rows.size) free.add(i)
    }

    private fun reclassify(event: CountEvent) {
        for ((lost, one) in returns.entries.toList()) {
            if (one.trackId != event.trackId) continue
            returns[lost] = Return(one.timestampNs, event.classId, one.trackId)
            add(one.classId, -1)
            add(event.classId, 1)
        }
    }

    /** A period has ended, and no object is counted again. */
    fun clear() {
        numbers.clear()
        returns.clear()
        fill(emptyList())
    }

    fun fill(seen: List<Seen>) {
        rows.clear()
        rowOf.clear()
        free.clear()
        rows.addAll(seen)
        seen.forEachIndexed { i, one -> rowOf[one.track] = i }
    }

    val seen: List<Seen> get() = rows.filter { it.track != NOBODY }

    val saved: Map<Long, Return> get() = returns

    fun restore(numbers: Map<Int, Long>, seen: List<Seen>, returns: Map<Long, Return>) {
        clear()
        this.numbers.putAll(numbers)
        fill(seen)
        this.returns.putAll(returns)
    }
}

private fun RawTrack.copyBox(box: FloatArray) {
    box[0] = x1
    box[1] = y1
    box[2] = x2
    box[3] = y2
}

/** Distance of the centers in sizes of the larger box; infinite for boxes of other sizes. */
private fun distance(a: FloatArray, b: FloatArray): Float {
    val sizeA = size(a)
    val sizeB = size(b)
    val larger = maxOf(sizeA, sizeB)
    if (larger > MAX_RATIO * minOf(sizeA, sizeB)) return Float.POSITIVE_INFINITY
    val x = (a[0] + a[2] - b[0] - b[2]) / 2
    val y = (a[1] + a[3] - b[1] - b[3]) / 2
    return hypot(x.toDouble(), y.toDouble()).toFloat() / larger
}

private fun size(box: FloatArray): Float = sqrt(maxOf(box[2] - box[0], 1e-3f) * maxOf(box[3] - box[1], 1e-3f))
