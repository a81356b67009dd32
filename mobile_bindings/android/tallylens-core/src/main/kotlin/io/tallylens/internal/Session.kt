package io.tallylens.internal

import io.tallylens.CountEvent
import io.tallylens.CountReport
import io.tallylens.CounterOptions
import io.tallylens.Detection
import io.tallylens.Drops
import io.tallylens.Frame
import io.tallylens.Speed
import io.tallylens.StateException
import io.tallylens.Track
import io.tallylens.Uncounted
import io.tallylens.UsageException
import java.io.Closeable
import java.nio.ByteBuffer

/** What one frame gave, before the counter adds drops and level. */
internal class FrameOutcome(val detections: List<Detection>, val tracks: List<Track>, val events: List<CountEvent>)

/**
 * One count: frames or detections to totals and a report. Not thread-safe.
 *
 * @param detectors null for a count of detections that are given.
 */
internal class Session(
    private val classNames: List<String>, private val modelName: String, private val options: CounterOptions,
    private val detectors: Detectors?,
    private val offloader: Offloader? = null,
) : Closeable {
    private val counting = Counting(
        classNames, options.lines, options.zones, options.classes, options.anyClass, options.tracking,
        options.ignored, options.minSize, options.maxSize,
    )
    private val image = ImageFields()
    private val planes = arrayOfNulls<ByteBuffer>(3)
    private var buffer = detectors?.detector(0)?.newBuffer() ?: FrameBuffer(FIRST_DETECTIONS, FIRST_DETECTIONS, MAX_EVENTS)
    private var totals: Totals? = null
    private var frames = 0L
    private var fitted = false
    private val timing = Timing()

    init {
        // Refused at once, not with the first frame.
        ClassFilter(classNames, if (options.anyClass) null else options.classes)
    }

    fun detect(frame: Frame): List<Detection> {
        put(frame)
        detectors().detector(0).detect(image, planes, buffer)
        return buffer.detections()
    }

    /**
     * Choose the input sizes for frames of this size, at the first frame; the number of sizes.
     *
     * @param smaller whether the governor may ask for smaller inputs.
     */
    fun fit(frame: Frame, smaller: Boolean): Int {
        val detectors = detectors()
        if (!fitted) detectors.fit(frame.uprightWidth, frame.uprightHeight, smaller)
        fitted = true
        return detectors.sizes.size
    }

    /** Count a frame with input size number `size`, 0 the largest; see [fit]. */
    fun count(frame: Frame, timestampNanos: Long, size: Int = 0): FrameOutcome {
        checkTime(timestampNanos)
        val totals = totals(frame.uprightWidth, frame.uprightHeight)
        put(frame)
        timing.start()
        val detector = detectors().detector(size)
        if (offloader == null) {
            detector.count(image, planes, totals.counter, timestampNanos, buffer)
            return outcome(totals, timestampNanos, buffer.detections())
        }
        val found = offloader.detect(frame, image, planes, buffer) { detector.detect(image, planes, buffer) }
        update(totals, found, timestampNanos)
        return outcome(totals, timestampNanos, found)
    }

    fun count(detections: List<Detection>, width: Int, height: Int, timestampNanos: Long): FrameOutcome {
        checkTime(timestampNanos)
        checkDetections(detections)
        val totals = totals(width, height)
        timing.start()
        update(totals, detections, timestampNanos)
        return outcome(totals, timestampNanos, detections)
    }

    private fun update(totals: Totals, detections: List<Detection>, timestampNanos: Long) {
        if (detections.size > buffer.maxDetections) buffer = FrameBuffer(detections.size, detections.size, MAX_EVENTS)
        totals.counter.update(timestampNanos, detections, buffer)
    }

    fun conclude(): List<CountEvent> = totals?.conclude(buffer).orEmpty()

    fun reset() {
        totals?.reset()
    }

    private fun outcome(totals: Totals, timestampNanos: Long, detections: List<Detection>): FrameOutcome {
        val (tracks, events) = totals.add(timestampNanos, buffer)
        frames++
        timing.add(buffer)
        return FrameOutcome(totals.wantedOf(detections), tracks, events)
    }

    private fun detectors() = detectors ?: throw UsageException("the counter has no model", "Use countDetections")

    private fun put(frame: Frame) {
        image.put(frame)
        for (i in planes.indices) planes[i] = frame.planes.getOrNull(i)?.bytes
    }

    private fun totals(width: Int, height: Int): Totals {
        val here = totals ?: return Totals(counting, width, height).also { totals = it }
        if (here.width != width || here.height != height) {
            throw UsageException(
                "a frame is ${width}x$height, the frames before were ${here.width}x${here.height}",
                "Count frames of one size with a counter; make another for another size",
            )
        }
        return here
    }

    private fun checkTime(timestampNanos: Long) {
        if (timestampNanos <= -FARTHEST_NS || timestampNanos >= FARTHEST_NS) {
            throw UsageException("the timestamp is $timestampNanos ns", "Give nanoseconds since an epoch")
        }
    }

    private fun checkDetections(detections: List<Detection>) {
        for (one in detections) {
            val box = listOf(one.x1, one.y1, one.x2, one.y2)
            val problem = when {
                box.any { it.isNaN() || it.isInfinite() } || one.x1 > one.x2 || one.y1 > one.y2 ->
                    "a box is not finite, with left <= right and top <= bottom"
                !(one.confidence >= 0 && one.confidence <= 1) -> "a confidence is not from 0 to 1"
                one.classId !in classNames.indices -> "a class id is not from 0 to ${classNames.size - 1}"
                else -> continue
            }
            throw UsageException("these detections cannot be counted: $problem", "Use boxes in pixels of the frame")
        }
    }

    fun report(drops: Drops, interrupted: Boolean): CountReport {
        val here = totals
        val facts = here?.counter?.diagnostics()
        return CountReport(
            source = options.source,
            model = modelName,
            engine = detectors?.engineName.orEmpty(),
            frames = frames,
            seconds = here?.seconds ?: 0.0,
            unique = here?.unique().orEmpty(),
            lines = here?.lines().orEmpty(),
            zones = here?.zones().orEmpty(),
            occupancy = here?.present().orEmpty(),
            warnings = detectors?.warnings.orEmpty() + listOfNotNull(offloader?.refusal) + (here?.let(::explanations) ?: listOf("no frame was read")),
            speed = timing.speed(),
            interrupted = interrupted,
            dropped = drops.busy + drops.late + drops.failed,
            skipped = drops.governor,
            uncounted = if (here == null || facts == null) Uncounted() else Uncounted(
                facts.belowLowConfidence, facts.unconfirmedTracks, facts.longestUnconfirmedS.toDouble(),
                here.filter.unwanted(here.counter.detected()),
                facts.ignored,
            ),
            filters = here?.filters?.asJson().orEmpty(),
            offload = offloader?.report(),
            uniqueRange = here?.uniqueRange()?.mapValues { it.value.first..it.value.second }.orEmpty(),
        )
    }

    /** @throws StateException nothing has been counted yet. */
    fun save(drops: Drops): ByteArray {
        val here = totals ?: throw StateException("nothing has been counted yet", "Save the state after the first frame")
        return SavedState(
            here.width, here.height, here.classNames, frames, drops, here.firstNs, here.lastNs, here.counter.save(),
            here.occupancy.save(), here.counter.withheld(), here.counter.returns(),
        ).encode()
    }

    /** @throws StateException it is of another counter, or damaged; nothing is changed. */
    fun restore(state: ByteArray): Drops {
        val saved = SavedState.decode(state)
        val wanted = if (options.anyClass) listOf("object") else classNames
        if (saved.classNames != wanted) throw StateException("it is of a model with other classes", "Start a new count")
        val restored = try {
            Totals(counting, saved.width, saved.height)
        } catch (error: UsageException) {
            throw StateException("it is of frames of another size", "Start a new count", error)
        }
        try {
            restored.counter.restore(saved.core)
            restored.counter.restoreReturns(saved.returns)
            restored.counter.restoreWithheld(saved.withheld)
            restored.occupancy.restore(saved.bins)
        } catch (failure: Exception) {
            restored.close()
            throw failure
        }
        restored.firstNs = saved.firstNs
        restored.lastNs = saved.lastNs
        totals?.close()
        totals = restored
        frames = saved.frames
        return saved.drops
    }

    override fun close() {
        offloader?.close()
        totals?.close()
        detectors?.close()
    }

    private companion object {
        const val FIRST_DETECTIONS = 300
        const val MAX_EVENTS = 256
        const val FARTHEST_NS = 1L shl 62
    }
}

/** Times of the frames that this process counted. */
private class Timing {
    private var frames = 0L
    private var startNs = 0L
    private var endNs = 0L
    private var inferenceNs = 0L
    private var hostNs = 0L

    fun start() {
        if (startNs == 0L) startNs = System.nanoTime()
    }

    fun add(buffer: FrameBuffer) {
        frames++
        endNs = System.nanoTime()
        inferenceNs += buffer.inferenceNanos
        hostNs += buffer.letterboxNanos + buffer.decodeNanos + buffer.countNanos
    }

    fun speed(): Speed {
        if (frames == 0L) return Speed()
        return Speed(
            fps = frames / maxOf((endNs - startNs) / 1e9, 1e-9),
            inferenceMs = inferenceNs / 1e6 / frames,
            hostMs = hostNs / 1e6 / frames,
        )
    }
}
