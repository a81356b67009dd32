package io.tallylens.android

import android.graphics.Bitmap
import android.media.Image
import androidx.camera.core.ImageProxy
import io.tallylens.Frame
import java.nio.ByteBuffer

/**
 * The frame of CameraX, in place: its three planes with their strides, its rotation and crop.
 *
 * Close the image when the counter no longer reads it: `toFrame().onReleased(image::close)`.
 */
public fun ImageProxy.toFrame(): Frame {
    val planes = planes
    return if (planes.size == 1) {
        Frame.rgba(planes[0].buffer, width, height, planes[0].rowStride)
    } else {
        val (y, u, v) = planes
        Frame.yuv420(y.buffer, u.buffer, v.buffer, width, height, y.rowStride, u.rowStride, u.pixelStride)
    }.withCrop(cropRect.left, cropRect.top, cropRect.right, cropRect.bottom).rotated(imageInfo.rotationDegrees)
}

/** A `YUV_420_888` or `RGBA_8888` image of an `ImageReader`, in place. */
@JvmOverloads
public fun Image.toFrame(rotationDegrees: Int = 0): Frame {
    val planes = planes
    return if (planes.size == 1) {
        Frame.rgba(planes[0].buffer, width, height, planes[0].rowStride)
    } else {
        val (y, u, v) = planes
        Frame.yuv420(y.buffer, u.buffer, v.buffer, width, height, y.rowStride, u.rowStride, u.pixelStride)
    }.withCrop(cropRect.left, cropRect.top, cropRect.right, cropRect.bottom).rotated(rotationDegrees)
}

/** A copy of the pixels of an `ARGB_8888` bitmap. */
public fun Bitmap.toFrame(): Frame {
    val software = if (config == Bitmap.Config.ARGB_8888) this else checkNotNull(copy(Bitmap.Config.ARGB_8888, false)) {
        "the bitmap cannot be read"
    }
    val pixels = ByteBuffer.allocateDirect(software.rowBytes * software.height)
    software.copyPixelsToBuffer(pixels)
    pixels.rewind()
    return Frame.rgba(pixels, software.width, software.height, software.rowBytes)
}

/** The crop at even pixels, because two rows and columns of a YUV image share their color. */
private fun Frame.withCrop(left: Int, top: Int, right: Int, bottom: Int): Frame {
    if (left <= 0 && top <= 0 && right >= width && bottom >= height) return this
    return cropped(left and 1.inv(), top and 1.inv(), right, bottom)
}
