package io.tallylens.internal

import io.tallylens.CountEvent
import io.tallylens.Drops
import io.tallylens.EventKind
import io.tallylens.StateException
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.IOException
import java.util.zip.CRC32
import java.util.zip.DataFormatException
import java.util.zip.Deflater
import java.util.zip.Inflater

/**
 * A counter as bytes: magic, version, checksum, then the compressed values.
 *
 * The core's part is checked by the core; the other values are bounded here before they are used.
 */
internal class SavedState(
    val width: Int, val height: Int, val classNames: List<String>, val frames: Long, val drops: Drops,
    val firstNs: Long?, val lastNs: Long, val core: ByteArray, val bins: TimeBins.Saved,
    val withheld: List<WithheldEvent>, val returns: PossibleReturns,
) {
    fun encode(): ByteArray {
        val values = ByteArrayOutputStream()
        Writer(DataOutputStream(values)).write(this)
        val compressed = deflated(values.toByteArray())
        val whole = ByteArrayOutputStream()
        DataOutputStream(whole).apply {
            writeInt(MAGIC)
            writeInt(VERSION)
            writeInt(values.size())
            writeInt(crcOf(compressed))
            write(compressed)
        }
        return whole.toByteArray()
    }

    companion object {
        private const val MAGIC = 0x544c4353 // TLCS
        private const val VERSION = 1
        private const val HEADER = 16
        private const val MAX_BYTES = 16 shl 20
        const val MAX_ITEMS = 1 shl 20

        /** @throws StateException these are not the bytes of a saved counter. */
        fun decode(bytes: ByteArray): SavedState = try {
            val header = DataInputStream(ByteArrayInputStream(bytes))
            if (bytes.size < HEADER || header.readInt() != MAGIC) throw bad("these bytes are not a saved count")
            val version = header.readInt()
            if (version != VERSION) throw bad("the saved count is of format version $version, not $VERSION")
            val size = header.readInt()
            val compressed = bytes.copyOfRange(HEADER, bytes.size)
            if (size !in 1..MAX_BYTES || header.readInt() != crcOf(compressed)) throw bad("the saved count is damaged")
            Reader(DataInputStream(ByteArrayInputStream(inflated(compressed, size)))).read()
        } catch (error: IOException) {
            throw bad("the saved count is damaged", error)
        } catch (error: DataFormatException) {
            throw bad("the saved count is damaged", error)
        } catch (error: IllegalArgumentException) {
            throw bad("the saved count is damaged", error)
        }

        private fun bad(problem: String, cause: Throwable? = null) = StateException(problem, "Start a new count", cause)

        private fun crcOf(bytes: ByteArray): Int = CRC32().apply { update(bytes) }.value.toInt()

        private fun deflated(bytes: ByteArray): ByteArray {
            val deflater = Deflater(Deflater.BEST_COMPRESSION)
            deflater.setInput(bytes)
            deflater.finish()
            val out = ByteArrayOutputStream()
            val chunk = ByteArray(4096)
            while (!deflater.finished()) out.write(chunk, 0, deflater.deflate(chunk))
            deflater.end()
            return out.toByteArray()
        }

        private fun inflated(bytes: ByteArray, size: Int): ByteArray {
            val inflater = Inflater()
            try {
                inflater.setInput(bytes)
                val out = ByteArray(size)
                var at = 0
                while (at < size) {
                    val more = inflater.inflate(out, at, size - at)
                    require(more > 0)
                    at += more
                }
                return out
            } finally {
                inflater.end()
            }
        }
    }
}

private class Writer(private val out: DataOutputStream) {
    fun write(state: SavedState) {
        out.writeInt(state.width)
        out.writeInt(state.height)
        list(state.classNames) { out.writeUTF(it) }
        out.writeLong(state.frames)
        for (number in listOf(state.drops.busy, state.drops.late, state.drops.governor, state.drops.failed)) out.writeLong(number)
        out.writeBoolean(state.firstNs != null)
        out.writeLong(state.firstNs ?: 0)
        out.writeLong(state.lastNs)
        out.writeInt(state.core.size)
        out.write(state.core)
        bins(state.bins)
        list(state.withheld) { one ->
            out.writeLong(one.seenNs)
            event(one.event)
        }
        list(state.returns.numbers.entries) { out.writeInt(it.key); out.writeLong(it.value) }
        list(state.returns.seen) { one ->
            out.writeLong(one.track)
            out.writeLong(one.timeNs)
            out.writeInt(one.classId)
            one.box.forEach(out::writeFloat)
        }
        list(state.returns.returns) { one ->
            out.writeLong(one.lost)
            out.writeLong(one.timestampNs)
            out.writeInt(one.classId)
            out.writeLong(one.trackId)
        }
    }

    private fun bins(saved: TimeBins.Saved) {
        out.writeInt(saved.seconds)
        list(saved.bins.entries) { (index, numbers) ->
            out.writeInt(index)
            list(numbers.entries) { out.writeShort(it.key); out.writeInt(it.value.toInt()) }
        }
    }

    private fun event(event: CountEvent) {
        out.writeByte(event.kind.ordinal)
        out.writeLong(event.timestampNanos)
        out.writeLong(event.trackId)
        for (number in listOf(event.classId, event.previousClassId, event.place)) out.writeInt(number)
        for (number in listOf(event.x, event.y, event.confidence, event.ageSeconds, event.dwellSeconds)) out.writeFloat(number)
    }

    private inline fun <T> list(items: Collection<T>, write: (T) -> Unit) {
        out.writeInt(items.size)
        for (item in items) write(item)
    }
}

private class Reader(private val input: DataInputStream) {
    fun read(): SavedState {
        val width = side()
        val height = side()
        val names = list { input.readUTF() }
        val frames = input.readLong()
        val drops = Drops(input.readLong(), input.readLong(), input.readLong(), input.readLong())
        val firstNs = if (input.readBoolean()) input.readLong() else input.readLong().let { null }
        val lastNs = input.readLong()
        val core = ByteArray(input.readInt().also { require(it in 1..SavedState.MAX_ITEMS) }).also(input::readFully)
        val classId = { input.readInt().also { require(it in names.indices) } }
        return SavedState(
            width, height, names, frames, drops, firstNs, lastNs, core,
            bins = TimeBins.Saved(input.readInt().also { require(it > 0) }, map { input.readInt() to counts(names) }),
            withheld = list { WithheldEvent(input.readLong(), event(names.size)) },
            returns = PossibleReturns(
                map { classId() to input.readLong() },
                list { PossibleReturns.Seen(input.readLong(), input.readLong(), classId(), FloatArray(4) { input.readFloat() }) },
                list { PossibleReturns.Return(input.readLong(), input.readLong(), classId(), input.readLong()) },
            ),
        ).also { require(input.read() == -1) }
    }

    private fun side(): Int = input.readInt().also { require(it > 0) }

    private fun counts(names: List<String>): Map<Int, Long> = map {
        val id = input.readShort().toInt()
        require(id in names.indices)
        id to input.readInt().toLong()
    }

    private fun event(classes: Int): CountEvent {
        val kind = input.readByte().toInt()
        require(kind in EventKind.entries.indices)
        val event = CountEvent(
            EventKind.entries[kind], input.readLong(), input.readLong(), input.readInt(), input.readInt(), input.readInt(),
            input.readFloat(), input.readFloat(), input.readFloat(), input.readFloat(), input.readFloat(),
        )
        require(event.classId in 0 until classes)
        return event
    }

    private inline fun <T> list(read: () -> T): List<T> {
        val size = input.readInt()
        require(size in 0..SavedState.MAX_ITEMS)
        val items = ArrayList<T>()
        repeat(size) { items.add(read()) }
        return items
    }

    private inline fun <K, V> map(read: () -> Pair<K, V>): Map<K, V> = list(read).toMap(LinkedHashMap())
}
