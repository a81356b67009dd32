package io.tallylens.internal

import io.tallylens.FrameEncoder
import io.tallylens.cloud.Codec
import java.nio.ByteBuffer
import kotlin.math.roundToInt

/** An upright image for a server, no larger than its model's input. */
internal class SentImage(val bytes: ByteArray, val width: Int, val height: Int, val codec: Codec)

/** Scales frames for a server's model, by the core's letterbox, and encodes them. Not thread-safe. */
internal class SentImages(private val encoder: FrameEncoder?) {
    private val tensor = directBuffer(24)
    private val out = directBuffer(512)
    private var pixels = directBuffer(0)

    /**
     * The frame that `image` and `planes` describe, of `width` x `height` when upright.
     *
     * A smaller frame than the input is not enlarged; the server's model then does what it does here.
     */
    fun image(image: ImageFields, planes: Array<ByteBuffer?>, width: Int, height: Int, input: InputSize): SentImage {
        val whole = width <= input.width && height <= input.height
        val (rows, columns) = if (whole) height to width else input.height to input.width
        if (pixels.capacity() != RGB * rows * columns) pixels = directBuffer(RGB * rows * columns)
        tensor.putInt(8, columns).putInt(12, rows)
        val status = Native.preprocess(image.bytes, planes[0], planes[1], planes[2], tensor, pixels, out)
        check(status) { out.errorText() }
        val filled = InputSize((out.getFloat(4) * out.getInt(20)).roundToInt(), (out.getFloat(0) * out.getInt(16)).roundToInt())
        val rgb = cut(columns, out.getInt(8), out.getInt(12), filled)
        val encoded = encoder?.encode(rgb, filled.width, filled.height)
        if (encoded == null) swapEnds(rgb)
        return SentImage(encoded ?: rgb, filled.width, filled.height, if (encoded == null) Codec.RAW else Codec.JPEG)
    }

    /** The pixels without the gray around them. */
    private fun cut(columns: Int, left: Int, top: Int, filled: InputSize): ByteArray {
        val rgb = ByteArray(RGB * filled.height * filled.width)
        val source = pixels.duplicate()
        for (y in 0 until filled.height) {
            source.position(RGB * ((top + y) * columns + left))
            source.get(rgb, RGB * y * filled.width, RGB * filled.width)
        }
        return rgb
    }

    /** Red first to blue first. */
    private fun swapEnds(pixels: ByteArray) {
        for (at in pixels.indices step RGB) pixels[at] = pixels[at + 2].also { pixels[at + 2] = pixels[at] }
    }

    private companion object {
        const val RGB = 3
    }
}
