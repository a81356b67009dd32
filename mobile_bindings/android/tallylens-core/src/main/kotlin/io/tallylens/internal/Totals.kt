package io.tallylens.internal

import io.tallylens.CountEvent
import io.tallylens.Detection
import io.tallylens.EventKind
import io.tallylens.Line
import io.tallylens.LineCounts
import io.tallylens.Occupancy
import io.tallylens.Track
import io.tallylens.Zone
import io.tallylens.ZoneCounts
import java.io.Closeable

/** What is counted, for all of [Totals]. */
internal class Counting(
    val classNames: List<String>,
    val lines: List<Line>,
    val zones: List<Zone>,
    val classes: Set<String>?,
    val anyClass: Boolean,
    val tracking: TrackingOptions,
    val ignored: List<Zone> = emptyList(),
    val minSize: Float? = null,
    val maxSize: Float? = null,
)

/** Tracks and counts the detections of one source, frame by frame; as Python's `Totals`. */
internal class Totals(val counting: Counting, val width: Int, val height: Int) : Closeable {
    val classNames: List<String> = if (counting.anyClass) listOf(ANY_CLASS_NAME) else counting.classNames
    val options: TrackingOptions = counting.tracking.complete()
    val filter = ClassFilter(classNames, if (counting.anyClass) null else counting.classes)
    val placed: List<PlacedRegion> = placeRegions(counting.lines, counting.zones, width, height)
    val filters = Filters(counting, width, height)
    val counter = TrackCounter(classNames.size, width, height, counting.anyClass, filters.applied(counting.tracking))
    val occupancy = TimeBins()
    var firstNs: Long? = null
    var lastNs: Long = 0

    init {
        try {
            filters.zones.forEach { counter.ignore(it.second) }
            if (!filter.takesAll) counter.wantClasses(filter.wanted)
            for (region in placed) {
                if (region.line != null) counter.addLine(region.points[0], region.points[1], region.line.extend)
                if (region.zone != null) counter.addZone(region.points, region.zone.minDwellSeconds)
            }
        } catch (failure: Exception) {
            close()
            throw failure
        }
    }

    /** Capture time from the first frame to the last. */
    val seconds: Double get() = firstNs?.let { (lastNs - it) / 1e9 } ?: 0.0

    /** Take what the core wrote for a frame: the tracks and events of the wanted classes. */
    fun add(timestampNanos: Long, buffer: FrameBuffer): Pair<List<Track>, List<CountEvent>> {
        val found = buffer.tracks()
        val events = named(counter.events(buffer))
        if (firstNs == null) firstNs = timestampNanos
        lastNs = timestampNanos
        val tracks = filter.tracks(found)
        occupancy.add(seconds, tracks.map { it.classId })
        return tracks.map(::named) to events
    }

    /** The source has ended: count what is past a line and moves on; the events of that. */
    fun conclude(buffer: FrameBuffer): List<CountEvent> = named(counter.conclude(buffer))

    private fun named(track: RawTrack) = Track(
        track.trackId, track.x1, track.y1, track.x2, track.y2, track.confidence, track.classId,
        classNames[track.classId],
    )

    private fun named(events: List<CountEvent>): List<CountEvent> = events.map { event ->
        event.copy(className = classNames[event.classId], region = regionOf(event)?.name.orEmpty())
    }

    private fun regionOf(event: CountEvent): PlacedRegion? {
        val kind = when (event.kind) {
            EventKind.CROSSED_IN, EventKind.CROSSED_OUT -> "line"
            EventKind.ENTERED, EventKind.LEFT -> "zone"
            else -> return null
        }
        return placed.first { it.kind == kind && it.index == event.place }
    }

    /** How many objects of each class were in view at once, over time. */
    fun present(): List<Occupancy> = occupancy.entries().map { (start, numbers) ->
        val named = LinkedHashMap<String, Long>()
        for ((id, number) in numbers) named[classNames[id]] = maxOf(named[classNames[id]] ?: 0L, number)
        Occupancy(start.toDouble(), named)
    }

    /** Different objects so far. */
    fun unique(): ClassCounts = filter.named(counter.unique())

    /** Minimum and maximum of different objects, of the classes where these differ. */
    fun uniqueRange(): Map<String, Pair<Long, Long>> {
        val doubtful = filter.named(counter.returned())
        return unique().filterKeys { (doubtful[it] ?: 0L) != 0L }.mapValues { (name, most) -> most - doubtful[name]!! to most }
    }

    fun lines(): List<LineCounts> = placed.filter { it.line != null }.map { region ->
        LineCounts(
            region.name, filter.named(total(region, 0)), filter.named(total(region, 1)), region.line!!.inName,
            region.line.outName,
        )
    }

    fun zones(): List<ZoneCounts> = placed.filter { it.zone != null }.map { region ->
        ZoneCounts(
            region.name, filter.named(total(region, 0)), filter.named(total(region, 1)), filter.named(total(region, 2)),
            value(region, 0), value(region, 1),
        )
    }

    private fun total(region: PlacedRegion, number: Int): LongArray =
        counter.regionTotal(region.kind, region.index, number)

    /** Value number `number` of a region: `nearest` of a line; mean and maximum dwell of a zone. */
    fun value(region: PlacedRegion, number: Int): Double = counter.regionValue(region.kind, region.index, number)

    /** End a period: all totals restart from zero. */
    fun reset() = counter.reset()

    fun wantedOf(detections: List<Detection>): List<Detection> = filter.detections(detections)

    override fun close() {
        counter.close()
        occupancy.close()
    }

    private companion object {
        const val ANY_CLASS_NAME = "object"
    }
}
