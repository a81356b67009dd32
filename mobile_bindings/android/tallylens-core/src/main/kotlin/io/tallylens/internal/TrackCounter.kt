package io.tallylens.internal

import io.tallylens.CountEvent
import io.tallylens.Detection
import io.tallylens.InternalException
import io.tallylens.StateException
import io.tallylens.TimestampException
import io.tallylens.UsageException
import java.io.Closeable
import java.nio.ByteBuffer

/** Why a total may be smaller than expected; see `tally_diagnostics` in tally.h. */
internal class Diagnostics(
    val frames: Long, val detections: Long, val belowLowConfidence: Long, val unconfirmedTracks: Long,
    val liveTracks: Long, val longestGapNs: Long, val unlinked: Long, val neededFps: Float,
    val fastest: Float, val longestUnconfirmedS: Float, val lastTimestampNs: Long, val ignored: Long,
)

/** Tracks objects through frames of one size and counts them: `tally_counter`. Not thread-safe. */
internal class TrackCounter(
    val numClasses: Int, width: Int, height: Int, anyClass: Boolean, options: TrackingOptions,
) : Closeable {
    private val handle: NativeHandle
    private var scratch = directBuffer(maxOf(8 * numClasses, OPTIONS_BYTES))

    init {
        val buffer = directBuffer(OPTIONS_BYTES)
        check(Native.counterDefaults(buffer), "")
        buffer.putInt(4, numClasses).putInt(8, width).putInt(12, height).putInt(16, if (anyClass) 1 else 0)
        options.writeTo(buffer)
        val out = directBuffer(512)
        check(Native.counterCreate(buffer, out)) { out.errorText() }
        handle = NativeHandle("counter", out.getLong(0), Native::counterDestroy)
    }

    fun addLine(a: Point, b: Point, extend: Boolean) = addRegion("line", listOf(a, b), extend, 0f)

    fun addZone(corners: List<Point>, minDwellS: Float) = addRegion("zone", corners, false, minDwellS)

    private fun addRegion(kind: String, points: List<Point>, extend: Boolean, minDwellS: Float) {
        val buffer = floats(points)
        call { Native.counterAddRegion(it, kind, buffer, points.size, if (extend) 1 else 0, minDwellS) }
    }

    /** Ignore detections whose anchor is in this area. */
    fun ignore(corners: List<Point>) {
        val buffer = floats(corners)
        call { Native.counterIgnore(it, buffer, corners.size) }
    }

    private fun floats(points: List<Point>): ByteBuffer {
        val buffer = directBuffer(8 * points.size)
        points.forEachIndexed { i, p -> buffer.putFloat(8 * i, p.x.toFloat()).putFloat(8 * i + 4, p.y.toFloat()) }
        return buffer
    }

    /** Count these classes only; the events of others wait until their object becomes one of them. */
    fun wantClasses(ids: Collection<Int>) {
        val buffer = directBuffer(4 * ids.size)
        ids.forEachIndexed { i, id -> buffer.putInt(4 * i, id) }
        call { Native.counterWantClasses(it, buffer, ids.size) }
        call(Native::counterWithhold)
    }

    /** Count the detections of one frame; `buffer` receives tracks and events. */
    fun update(timestampNanos: Long, detections: List<Detection>, buffer: FrameBuffer) {
        buffer.put(detections)
        handle.use { checkUpdate(it, timestampNanos, Native.counterUpdate(it, timestampNanos, detections.size, buffer.bytes)) }
    }

    /** Detect in a frame and count; `call` runs `Native.countFrame` with the counter's address. */
    fun <T> withAddress(call: (Long) -> T): T = handle.use(call)

    /** The status of an update as an exception. */
    fun checkUpdate(address: Long, timestampNanos: Long, status: Int) {
        if (status == Status.OK) return
        if (status == Status.OUT_OF_ORDER) throw TimestampException(timestampNanos, lastTimestamp(address))
        raise(status, Native.counterError(address).orEmpty())
    }

    private fun lastTimestamp(address: Long): Long {
        Native.counterDiagnostics(address, scratch)
        return scratch.getLong(LAST_TIMESTAMP_AT)
    }

    /** The events of the last call, those included that `buffer` had no room for. */
    fun events(buffer: FrameBuffer): List<CountEvent> {
        var events = buffer.events()
        while (buffer.numEvents == buffer.maxEvents) {
            call { Native.counterTake(it, buffer.bytes) }
            if (buffer.numEvents == 0) break
            events = events + buffer.events()
        }
        return events
    }

    fun conclude(buffer: FrameBuffer): List<CountEvent> {
        call(Native::counterConclude)
        call { Native.counterTake(it, buffer.bytes) }
        return events(buffer)
    }

    fun reset() = call(Native::counterReset)

    fun unique(): LongArray = totals { Native.counterUnique(it, numClasses, scratch) }

    /** How many of the unique objects could be one that was counted before, by class. */
    fun returned(): LongArray = totals { Native.counterReturned(it, numClasses, scratch) }

    fun returns(): PossibleReturns {
        var capacity = 0 // the first call tells how many there are
        while (true) {
            val buffer = directBuffer(PossibleReturns.HEADER_BYTES + PossibleReturns.BYTES_EACH * capacity)
            val status = handle.use { Native.counterReturns(it, capacity, buffer) }
            if (status != Status.BUFFER_TOO_SMALL) {
                check(status) { "the counter cannot be saved" }
                return PossibleReturns.of(returned(), buffer, capacity)
            }
            capacity = maxOf(buffer.getInt(0), buffer.getInt(4))
        }
    }

    /** @throws StateException the values are out of range; the counter is unchanged. */
    fun restoreReturns(saved: PossibleReturns) {
        val buffer = saved.toBuffer(numClasses)
        call { Native.counterRestoreReturns(it, numClasses, saved.seen.size, saved.returns.size, buffer) }
    }

    /** The events that wait until their object becomes one of a wanted class. */
    fun withheld(): List<WithheldEvent> = items(WithheldEvent.BYTES, WithheldEvent::at, Native::counterWithheld)

    /** @throws StateException the events are out of range; the counter is unchanged. */
    fun restoreWithheld(saved: List<WithheldEvent>) {
        val buffer = directBuffer(WithheldEvent.BYTES * saved.size)
        saved.forEachIndexed { i, one -> one.put(buffer, WithheldEvent.BYTES * i) }
        call { Native.counterRestoreWithheld(it, buffer, saved.size) }
    }

    /** Why totals are zero, or smaller than expected. */
    fun findings(): List<Finding> = items(Finding.BYTES, Finding::at, Native::counterFindings)

    private fun <T> items(bytes: Int, read: (ByteBuffer, Int) -> T, call: (Long, Int, ByteBuffer) -> Int): List<T> {
        var capacity = 0 // the first call tells how many there are
        while (true) {
            val buffer = directBuffer(COUNT_BYTES + bytes * capacity)
            val status = handle.use { call(it, capacity, buffer) }
            if (status != Status.BUFFER_TOO_SMALL) {
                check(status, "")
                return List(buffer.getInt(0)) { read(buffer, COUNT_BYTES + bytes * it) }
            }
            capacity = buffer.getInt(0)
        }
    }

    fun detected(): LongArray = totals { Native.counterDetected(it, numClasses, scratch) }

    fun regionTotal(kind: String, index: Int, total: Int): LongArray =
        totals { Native.counterRegionTotal(it, kind, index, total, numClasses, scratch) }

    fun regionValue(kind: String, index: Int, value: Int): Double {
        call { Native.counterRegionValue(it, kind, index, value, scratch) }
        return scratch.getDouble(0)
    }

    private inline fun totals(read: (Long) -> Int): LongArray {
        call { read(it) }
        return LongArray(numClasses) { scratch.getLong(8 * it) }
    }

    fun diagnostics(): Diagnostics {
        call { Native.counterDiagnostics(it, scratch) }
        val long = { i: Int -> scratch.getLong(8 + 8 * i) }
        return Diagnostics(
            neededFps = scratch.getFloat(4), frames = long(0), detections = long(1), belowLowConfidence = long(2),
            unconfirmedTracks = long(3), liveTracks = long(4), longestGapNs = long(5), unlinked = long(6),
            fastest = scratch.getFloat(64), longestUnconfirmedS = scratch.getFloat(68), lastTimestampNs = long(8), ignored = long(9),
        )
    }

    fun save(): ByteArray {
        var buffer = directBuffer(FIRST_STATE)
        while (true) {
            val status = handle.use { Native.counterSave(it, buffer) }
            val size = buffer.getLong(0).toInt()
            if (status != Status.BUFFER_TOO_SMALL) {
                check(status) { "the counter cannot be saved" }
                return ByteArray(size) { buffer.get(8 + it) }
            }
            buffer = directBuffer(8 + size)
        }
    }

    /** @throws StateException it is of another counter, or damaged; the counter is unchanged. */
    fun restore(state: ByteArray) {
        val buffer: ByteBuffer = directBuffer(state.size)
        buffer.put(state)
        handle.use {
            val status = Native.counterRestore(it, buffer, state.size.toLong())
            if (status == Status.BAD_STATE) {
                throw StateException(Native.counterError(it).orEmpty(), "Start a new count, or use the options that it was saved with")
            }
            check(status) { Native.counterError(it).orEmpty() }
        }
    }

    override fun close() = handle.close()

    private inline fun call(function: (Long) -> Int) = handle.use { address ->
        check(function(address)) { Native.counterError(address).orEmpty() }
    }

    private companion object {
        const val FIRST_STATE = 4096
        const val COUNT_BYTES = 8
        const val LAST_TIMESTAMP_AT = 72
    }
}

/** Throw the exception of `status` unless it is OK. */
internal inline fun check(status: Int, message: () -> String) {
    if (status != Status.OK) raise(status, message())
}

internal fun check(status: Int, message: String) = check(status) { message }

/** Throw the exception of a status. */
internal fun raise(status: Int, message: String): Nothing {
    val problem = message.ifEmpty { Native.statusText(status) ?: "status $status" }
    when (status) {
        Status.INVALID_ARGUMENT -> throw UsageException(problem, "Change the option, the region or the frame")
        Status.BAD_STATE -> throw StateException(problem, "Start a new count")
        else -> throw InternalException(problem)
    }
}

/** Thresholds of tracking and counting; those that are null keep the core's default. */
internal data class TrackingOptions(
    val anchor: Int? = null,
    val lowConfidence: Float? = null,
    val highConfidence: Float? = null,
    val newConfidence: Float? = null,
    val confirmS: Float? = null,
    val confirmConfidence: Float? = null,
    val lostS: Float? = null,
    val edgeLostS: Float? = null,
    val hysteresis: Float? = null,
    val rememberS: Float? = null,
    val minSize: Float? = null,
    val maxSize: Float? = null,
) {
    /** Write the values that are given into a `tally_counter_options`. */
    fun writeTo(buffer: ByteBuffer) {
        anchor?.let { buffer.putInt(ANCHOR_AT, it) }
        thresholds().forEachIndexed { i, value -> value?.let { buffer.putFloat(ANCHOR_AT + 4 + 4 * i, it) } }
    }

    private fun thresholds() = listOf(
        lowConfidence, highConfidence, newConfidence, confirmS, confirmConfidence, lostS, edgeLostS, hysteresis,
        rememberS, minSize, maxSize,
    )

    /** These options with the core's defaults in place of null. */
    fun complete(): TrackingOptions {
        val buffer = directBuffer(OPTIONS_BYTES)
        check(Native.counterDefaults(buffer), "")
        writeTo(buffer)
        val float = { i: Int -> buffer.getFloat(ANCHOR_AT + 4 + 4 * i) }
        return TrackingOptions(
            buffer.getInt(ANCHOR_AT), float(0), float(1), float(2), float(3), float(4), float(5), float(6), float(7),
            float(8), float(9), float(10),
        )
    }

    private companion object {
        const val ANCHOR_AT = 20
    }
}
