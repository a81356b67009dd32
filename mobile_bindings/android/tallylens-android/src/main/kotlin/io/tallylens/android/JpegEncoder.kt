package io.tallylens.android

import android.graphics.Bitmap
import io.tallylens.FrameEncoder
import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer

/**
 * Encodes images for a server with Android's JPEG encoder.
 *
 * @param quality 1 to 100; accuracy falls visibly below 40.
 */
public class JpegEncoder @JvmOverloads constructor(private val quality: Int = 60) : FrameEncoder {
    override fun encode(rgb: ByteArray, width: Int, height: Int): ByteArray {
        val rgba = ByteBuffer.allocate(4 * width * height)
        for (at in rgb.indices step 3) rgba.put(rgb, at, 3).put(OPAQUE)
        rgba.rewind()
        val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
        bitmap.copyPixelsFromBuffer(rgba)
        val out = ByteArrayOutputStream()
        bitmap.compress(Bitmap.CompressFormat.JPEG, quality, out)
        bitmap.recycle()
        return out.toByteArray()
    }

    private companion object {
        const val OPAQUE: Byte = -1
    }
}
