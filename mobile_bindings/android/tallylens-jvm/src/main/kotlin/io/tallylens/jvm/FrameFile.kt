package io.tallylens.jvm

import io.tallylens.Frame
import java.io.Closeable
import java.io.File
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel

/**
 * A video as raw frames: bytes `TLFR`, then width, height and number of frames (int32), then for each frame
 * its capture time in nanoseconds (int64) and its pixels (BGR), all little-endian.
 *
 * The desktop JVM has no video decoder; `benchmarks/mobile.py` writes such files.
 */
public class FrameFile(file: File) : Closeable {
    private val channel = RandomAccessFile(file, "r").channel

    /** Width of all frames in pixels. */
    public val width: Int

    /** Height of all frames in pixels. */
    public val height: Int

    /** The number of frames. */
    public val count: Int
    private val frameBytes: Int

    init {
        val header = map(0, HEADER)
        require(header.int == MAGIC) { "$file is not a frame file" }
        width = header.int
        height = header.int
        count = header.int
        frameBytes = 3 * width * height
        require(width > 0 && height > 0 && count >= 0) { "$file is damaged" }
        require(channel.size() == HEADER + count * (Long.SIZE_BYTES + frameBytes).toLong()) { "$file is incomplete" }
    }

    /** Capture time and frame number `index`; the pixels are mapped, not read. */
    public operator fun get(index: Int): Pair<Long, Frame> {
        val (timestampNanos, pixels) = pixels(index)
        return timestampNanos to Frame.bgr(pixels, width, height)
    }

    /** Capture time and pixels (BGR) of frame number `index`. */
    public fun pixels(index: Int): Pair<Long, ByteBuffer> {
        require(index in 0 until count) { "there is no frame $index" }
        val at = HEADER + index * (Long.SIZE_BYTES + frameBytes).toLong()
        return map(at, Long.SIZE_BYTES.toLong()).long to map(at + Long.SIZE_BYTES, frameBytes.toLong())
    }

    private fun map(at: Long, bytes: Long): ByteBuffer =
        channel.map(FileChannel.MapMode.READ_ONLY, at, bytes).order(ByteOrder.LITTLE_ENDIAN)

    override fun close(): Unit = channel.close()

    private companion object {
        const val HEADER = 16L
        const val MAGIC = 0x52464c54 // TLFR
    }
}
