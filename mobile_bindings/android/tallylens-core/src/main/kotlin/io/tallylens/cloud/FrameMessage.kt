package io.tallylens.cloud

import io.tallylens.CloudException
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** How an image is encoded. */
public enum class Codec(internal val number: Int) {
    JPEG(1),
    WEBP(2),

    /** BGR, 3 bytes per pixel, rows from top to bottom. */
    RAW(3),
}

/** A binary message of `tallylens.v1`: a header of 24 bytes, then the encoded image. No I/O. */
internal class FrameMessage(
    val sequence: Long, val captureUs: Long, val deadlineMs: Long, val width: Int, val height: Int, val codec: Codec,
    val repeated: Boolean,
) {
    fun encode(image: ByteArray): ByteArray = ByteBuffer.allocate(HEADER_BYTES + image.size)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put(VERSION).put(FRAME).put(codec.number.toByte()).put(if (repeated) 1.toByte() else 0.toByte())
        .putInt(sequence.toInt()).putLong(captureUs).putInt(deadlineMs.toInt())
        .putShort(width.toShort()).putShort(height.toShort()).put(image).array()

    companion object {
        const val HEADER_BYTES = 24
        private const val VERSION: Byte = 1
        private const val FRAME: Byte = 1

        /**
         * Header and image of a message.
         *
         * @throws CloudException the header is invalid.
         */
        fun decode(message: ByteArray): Pair<FrameMessage, ByteArray> {
            if (message.size < HEADER_BYTES) throw violation("a frame of ${message.size} bytes has no room for its header")
            val header = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN)
            val (version, kind) = header.get(0).toInt() to header.get(1).toInt()
            if (version != VERSION.toInt() || kind != FRAME.toInt()) throw violation("a binary message of version $version and type $kind")
            val codec = Codec.entries.firstOrNull { it.number == header.get(2).toInt() }
                ?: throw violation("the codec is ${header.get(2)}")
            val flags = header.get(3).toInt() and 0xff
            if (flags > 1) throw violation("the flags are 0x${flags.toString(16)}")
            val frame = FrameMessage(
                header.getInt(4).toLong() and 0xffffffffL, header.getLong(8), header.getInt(16).toLong() and 0xffffffffL,
                header.getShort(20).toInt() and 0xffff, header.getShort(22).toInt() and 0xffff, codec, flags == 1,
            )
            if (frame.sequence == 0L || frame.width == 0 || frame.height == 0) {
                throw violation("a sequence number, width or height of 0")
            }
            return frame to message.copyOfRange(HEADER_BYTES, message.size)
        }
    }
}

/** The peer does not follow the protocol. */
internal fun violation(problem: String, cause: Throwable? = null) =
    CloudException(problem, "Update tallylens on the device and on the server", cause)
