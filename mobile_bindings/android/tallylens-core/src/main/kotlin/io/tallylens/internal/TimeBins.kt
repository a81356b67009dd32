package io.tallylens.internal

import io.tallylens.StateException
import java.io.Closeable
import java.nio.ByteBuffer

/** How many objects of each class are in view at once, over time: `tally_bins`. Not thread-safe. */
internal class TimeBins : Closeable {
    /** Numbers by class id, by the number of their bin of `seconds` from the start. */
    class Saved(val seconds: Int, val bins: Map<Int, Map<Int, Long>>)

    private val handle: NativeHandle
    private var keys = directBuffer(4 * FIRST_KEYS)

    init {
        val out = directBuffer(512)
        check(Native.binsCreate(out)) { out.errorText() }
        handle = NativeHandle("counter", out.getLong(0), Native::binsDestroy)
    }

    /** Add the classes of the objects in view at `timeS` seconds from the start. */
    fun add(timeS: Double, classes: List<Int>) {
        if (4 * classes.size > keys.capacity()) keys = directBuffer(8 * classes.size)
        classes.forEachIndexed { i, id -> keys.putInt(4 * i, id) }
        call { Native.binsAdd(it, timeS, keys, classes.size) }
    }

    /** Start of each bin in seconds and its numbers by class id, in order of time. */
    fun entries(): Map<Long, Map<Int, Long>> = numbers().second

    /** All numbers, those of old bins in wider ones. */
    fun save(): Saved {
        call(Native::binsCompact)
        val (seconds, bins) = numbers()
        return Saved(seconds.toInt(), bins.mapKeys { (it.key / seconds).toInt() })
    }

    /** @throws StateException the numbers are out of range; nothing is changed. */
    fun restore(saved: Saved) {
        val count = saved.bins.values.sumOf { it.size }
        val buffer = directBuffer(BIN_BYTES * count)
        for ((bin, numbers) in saved.bins) {
            for ((id, number) in numbers) buffer.putLong(bin.toLong() * saved.seconds).putLong(number).putInt(id).putInt(0)
        }
        call { Native.binsRestore(it, saved.seconds.toLong(), buffer, count) }
    }

    private fun numbers(): Pair<Long, Map<Long, Map<Int, Long>>> {
        var buffer: ByteBuffer = directBuffer(HEADER_BYTES)
        var capacity = 0 // the first call tells how many there are
        while (true) {
            val status = handle.use { Native.binsNumbers(it, capacity, buffer) }
            if (status != Status.BUFFER_TOO_SMALL) {
                check(status, "")
                return buffer.getLong(0) to read(buffer)
            }
            capacity = buffer.getLong(8).toInt()
            buffer = directBuffer(HEADER_BYTES + BIN_BYTES * capacity)
        }
    }

    private fun read(buffer: ByteBuffer): Map<Long, Map<Int, Long>> {
        val bins = LinkedHashMap<Long, MutableMap<Int, Long>>()
        for (i in 0 until buffer.getLong(8).toInt()) {
            val at = HEADER_BYTES + BIN_BYTES * i
            bins.getOrPut(buffer.getLong(at)) { LinkedHashMap() }[buffer.getInt(at + 16)] = buffer.getLong(at + 8)
        }
        return bins
    }

    private inline fun call(function: (Long) -> Int) = handle.use { address ->
        check(function(address)) { Native.binsError(address).orEmpty() }
    }

    override fun close() = handle.close()

    private companion object {
        const val FIRST_KEYS = 64
        const val HEADER_BYTES = 16
        const val BIN_BYTES = 24
    }
}
