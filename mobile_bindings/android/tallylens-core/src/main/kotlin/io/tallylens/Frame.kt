package io.tallylens

import io.tallylens.internal.directBuffer
import java.nio.ByteBuffer

/** The values that black and white have in a YUV frame: 16..235, or 0..255 as most phones' cameras give. */
public enum class YuvRange { VIDEO, FULL }

/** The weights of red, green and blue in a YUV frame. */
public enum class YuvMatrix { BT601, BT709 }

/**
 * A frame as the camera gives it, without a copy where its memory is a direct buffer.
 *
 * @property width pixels before rotation and crop.
 * @property height pixels before rotation and crop.
 * @property rotationDegrees clockwise turn that makes it upright: 0, 90, 180 or 270.
 */
public class Frame private constructor(
    internal val format: Int,
    public val width: Int,
    public val height: Int,
    public val rotationDegrees: Int,
    internal val planes: List<Plane>,
    internal val chromaStep: Int,
    internal val range: YuvRange,
    internal val matrix: YuvMatrix,
    internal val left: Int,
    internal val top: Int,
    internal val cropWidth: Int,
    internal val cropHeight: Int,
    internal val onReleased: Runnable?,
) {
    internal class Plane(val bytes: ByteBuffer, val stride: Int)

    /** Width of the upright, cropped frame: that of all coordinates. */
    public val uprightWidth: Int get() = if (rotationDegrees % 180 == 0) cropWidth else cropHeight

    /** Height of the upright, cropped frame. */
    public val uprightHeight: Int get() = if (rotationDegrees % 180 == 0) cropHeight else cropWidth

    /** The same frame, which is upright after a clockwise turn by `degrees`. */
    public fun rotated(degrees: Int): Frame {
        if (degrees !in listOf(0, 90, 180, 270)) {
            throw UsageException("the rotation is $degrees degrees", "Use 0, 90, 180 or 270")
        }
        return copy(rotationDegrees = degrees)
    }

    /**
     * A rectangle of the frame before rotation, in its pixels.
     *
     * Left and top of a YUV frame must be even, because two rows and columns share their color.
     */
    public fun cropped(left: Int, top: Int, right: Int, bottom: Int): Frame {
        val inside = left in 0 until right && top in 0 until bottom && right <= width && bottom <= height
        if (!inside || (format >= NV12 && (left % 2 != 0 || top % 2 != 0))) {
            throw UsageException(
                "the crop $left,$top,$right,$bottom does not fit a frame of ${width}x$height",
                "Use pixels of the frame before rotation; even ones for left and top of YUV",
            )
        }
        return copy(left = left, top = top, cropWidth = right - left, cropHeight = bottom - top)
    }

    /** The same frame with YUV values of `range` and `matrix`. */
    @JvmOverloads
    public fun withColor(range: YuvRange, matrix: YuvMatrix = YuvMatrix.BT601): Frame =
        copy(range = range, matrix = matrix)

    /**
     * The same frame, whose owner is told once its memory is no longer read.
     *
     * `Counter.countAsync` reads such a frame in place; without it, it copies the frame first.
     */
    public fun onReleased(released: Runnable): Frame = copy(onReleased = released)

    /** A frame in memory of its own: a direct buffer for each plane, which `reuse` gives where it fits. */
    internal fun copied(reuse: List<ByteBuffer>?): Frame {
        val copies = planes.mapIndexed { i, plane ->
            val source = plane.bytes.duplicate()
            source.clear()
            val target = reuse?.getOrNull(i)?.takeIf { it.capacity() == source.capacity() }
                ?: directBuffer(source.capacity())
            target.clear()
            target.put(source)
            Plane(target, plane.stride)
        }
        return copy(planes = copies, onReleased = null)
    }

    private fun copy(
        rotationDegrees: Int = this.rotationDegrees,
        planes: List<Plane> = this.planes,
        range: YuvRange = this.range,
        matrix: YuvMatrix = this.matrix,
        left: Int = this.left,
        top: Int = this.top,
        cropWidth: Int = this.cropWidth,
        cropHeight: Int = this.cropHeight,
        onReleased: Runnable? = this.onReleased,
    ) = Frame(
        format, width, height, rotationDegrees, planes, chromaStep, range, matrix, left, top, cropWidth,
        cropHeight, onReleased,
    )

    public companion object {
        internal const val BGR = 0
        internal const val RGB = 1
        internal const val BGRA = 2
        internal const val RGBA = 3
        internal const val NV12 = 4
        internal const val NV21 = 5
        internal const val I420 = 6
        private const val MAX_SIDE = 32_768

        /** 3 bytes per pixel, blue first, as OpenCV reads images; `stride` is bytes from row to row. */
        @JvmStatic
        @JvmOverloads
        public fun bgr(pixels: ByteBuffer, width: Int, height: Int, stride: Int = 3 * width): Frame =
            of(BGR, width, height, listOf(pixels to stride))

        /** 3 bytes per pixel, red first. */
        @JvmStatic
        @JvmOverloads
        public fun rgb(pixels: ByteBuffer, width: Int, height: Int, stride: Int = 3 * width): Frame =
            of(RGB, width, height, listOf(pixels to stride))

        /** 4 bytes per pixel, red first: `Bitmap.Config.ARGB_8888`, `RGBA_8888` of an `ImageReader`. */
        @JvmStatic
        @JvmOverloads
        public fun rgba(pixels: ByteBuffer, width: Int, height: Int, stride: Int = 4 * width): Frame =
            of(RGBA, width, height, listOf(pixels to stride))

        /** 4 bytes per pixel, blue first. */
        @JvmStatic
        @JvmOverloads
        public fun bgra(pixels: ByteBuffer, width: Int, height: Int, stride: Int = 4 * width): Frame =
            of(BGRA, width, height, listOf(pixels to stride))

        /** Y, then V and U interleaved, both with rows of `stride` bytes: `android.hardware.Camera`. */
        @JvmStatic
        @JvmOverloads
        public fun nv21(y: ByteBuffer, vu: ByteBuffer, width: Int, height: Int, stride: Int = width): Frame =
            of(NV21, width, height, listOf(y to stride, vu to stride))

        /**
         * Any YUV_420_888: three planes, bytes from row to row of Y and of the chroma planes, and bytes from
         * sample to sample of the chroma planes (`Image.Plane.getPixelStride`). Full range, BT.601, as
         * Android's cameras give it; see [withColor].
         */
        @JvmStatic
        @JvmOverloads
        public fun yuv420(
            y: ByteBuffer, u: ByteBuffer, v: ByteBuffer, width: Int, height: Int,
            yStride: Int, uvStride: Int, uvPixelStride: Int = 1,
        ): Frame = of(
            I420, width, height, listOf(y to yStride, u to uvStride, v to uvStride), uvPixelStride, YuvRange.FULL,
        )

        private fun of(
            format: Int, width: Int, height: Int, planes: List<Pair<ByteBuffer, Int>>, chromaStep: Int = 0,
            range: YuvRange = YuvRange.VIDEO,
        ): Frame {
            if (width !in 1..MAX_SIDE || height !in 1..MAX_SIDE) {
                throw UsageException("a frame is ${width}x$height", "Use 1 to $MAX_SIDE pixels")
            }
            val direct = planes.map { (bytes, stride) -> Plane(direct(bytes), stride) }
            return Frame(
                format, width, height, 0, direct, chromaStep, range, YuvMatrix.BT601, 0, 0, width, height, null,
            )
        }

        private fun direct(bytes: ByteBuffer): ByteBuffer {
            if (bytes.isDirect && bytes.position() == 0 && bytes.limit() == bytes.capacity()) return bytes
            if (bytes.isDirect) return bytes.slice()
            val source = bytes.duplicate()
            val copy = directBuffer(source.remaining())
            copy.put(source)
            return copy
        }
    }
}
