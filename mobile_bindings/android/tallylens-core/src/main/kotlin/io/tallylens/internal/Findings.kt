package io.tallylens.internal

import io.tallylens.CountEvent
import io.tallylens.EventKind
import java.nio.ByteBuffer

/** Why a total is zero, or smaller than expected: `tally_finding`. */
internal class Finding(
    val cause: Int, val isZone: Boolean, val region: Int, val classes: List<Pair<Int, Long>>, val value: Double,
) {
    companion object {
        const val BYTES = 88
        const val NO_FRAME = 0
        const val NO_DETECTION = 1
        const val OTHER_DETECTIONS = 2
        const val IGNORED = 3
        const val WEAK = 4
        const val UNCONFIRMED = 5
        const val OTHER_OBJECTS = 6
        const val OTHERS_COUNTED = 7
        const val NOTHING_NEAR = 8
        const val MISSED = 9
        const val TOO_FAST = 10
        private const val ZONE_RULE = 1

        fun at(buffer: ByteBuffer, at: Int) = Finding(
            buffer.getInt(at), buffer.getInt(at + 4) == ZONE_RULE, buffer.getInt(at + 8),
            List(buffer.getInt(at + 12)) { buffer.getInt(at + 16 + 4 * it) to buffer.getLong(at + 40 + 8 * it) },
            buffer.getDouble(at + 80),
        )
    }
}

/** An event that waits until its object becomes one of a wanted class: `tally_withheld`. */
internal class WithheldEvent(val seenNs: Long, val event: CountEvent) {
    fun put(buffer: ByteBuffer, at: Int) {
        buffer.putLong(at, seenNs).putLong(at + 8, event.timestampNanos).putLong(at + 16, event.trackId)
        buffer.putInt(at + 24, event.kind.ordinal).putInt(at + 28, event.classId)
        buffer.putInt(at + 32, event.previousClassId).putInt(at + 36, event.place)
        val floats = listOf(event.x, event.y, event.confidence, event.ageSeconds, event.dwellSeconds)
        floats.forEachIndexed { i, value -> buffer.putFloat(at + 40 + 4 * i, value) }
    }

    companion object {
        const val BYTES = 64

        fun at(buffer: ByteBuffer, at: Int) = WithheldEvent(buffer.getLong(at), eventAt(buffer, at + 8))
    }
}

/** A `tally_event`, without names. */
internal fun eventAt(bytes: ByteBuffer, at: Int) = CountEvent(
    kind = EventKind.entries[bytes.getInt(at + 16)],
    timestampNanos = bytes.getLong(at),
    trackId = bytes.getLong(at + 8),
    classId = bytes.getInt(at + 20),
    previousClassId = bytes.getInt(at + 24),
    place = bytes.getInt(at + 28),
    x = bytes.getFloat(at + 32),
    y = bytes.getFloat(at + 36),
    confidence = bytes.getFloat(at + 40),
    ageSeconds = bytes.getFloat(at + 44),
    dwellSeconds = bytes.getFloat(at + 48),
)
