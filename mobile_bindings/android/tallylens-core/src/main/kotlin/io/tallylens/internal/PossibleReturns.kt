package io.tallylens.internal

import java.nio.ByteBuffer

/**
 * Objects that could be the same as one that was counted before, as the core saves them: `tally_counter_returned`,
 * `tally_counter_seen` and `tally_counter_returns`.
 */
internal class PossibleReturns(val numbers: Map<Int, Long>, val seen: List<Seen>, val returns: List<Return>) {
    /** Where and when an object that was confirmed in this period was seen last. */
    class Seen(val track: Long, val timeNs: Long, val classId: Int, val box: FloatArray)

    /** A new object that could be one that was counted before. */
    class Return(val lost: Long, val timestampNs: Long, val classId: Int, val trackId: Long)

    /** The arrays that `Native.counterRestoreReturns` takes. */
    fun toBuffer(numClasses: Int): ByteBuffer {
        val buffer = directBuffer(8 * numClasses + SEEN_BYTES * seen.size + RETURN_BYTES * returns.size)
        for ((classId, number) in numbers) buffer.putLong(8 * classId, number)
        var at = 8 * numClasses
        for (one in seen) {
            buffer.putLong(at, one.track).putLong(at + 8, one.timeNs).putInt(at + 16, one.classId)
            one.box.forEachIndexed { i, side -> buffer.putFloat(at + 20 + 4 * i, side) }
            at += SEEN_BYTES
        }
        for (one in returns) {
            buffer.putLong(at, one.lost).putLong(at + 8, one.trackId).putLong(at + 16, one.timestampNs)
            buffer.putInt(at + 24, one.classId)
            at += RETURN_BYTES
        }
        return buffer
    }

    companion object {
        private const val SEEN_BYTES = 40
        private const val RETURN_BYTES = 32
        const val HEADER_BYTES = 8
        const val BYTES_EACH = SEEN_BYTES + RETURN_BYTES

        /** What `Native.counterReturns` wrote into arrays of `capacity`. */
        fun of(numbers: LongArray, buffer: ByteBuffer, capacity: Int): PossibleReturns {
            val seen = List(buffer.getInt(0)) { i ->
                val at = HEADER_BYTES + SEEN_BYTES * i
                val box = FloatArray(4) { buffer.getFloat(at + 20 + 4 * it) }
                Seen(buffer.getLong(at), buffer.getLong(at + 8), buffer.getInt(at + 16), box)
            }
            val returns = List(buffer.getInt(4)) { i ->
                val at = HEADER_BYTES + SEEN_BYTES * capacity + RETURN_BYTES * i
                Return(buffer.getLong(at), buffer.getLong(at + 16), buffer.getInt(at + 24), buffer.getLong(at + 8))
            }
            return PossibleReturns(numbers.withIndex().filter { it.value != 0L }.associate { it.index to it.value }, seen, returns)
        }
    }
}
