package io.tallylens.jvm

import io.tallylens.FrameEncoder
import java.awt.image.BufferedImage
import java.io.ByteArrayOutputStream
import javax.imageio.IIOImage
import javax.imageio.ImageIO
import javax.imageio.ImageWriteParam
import javax.imageio.stream.MemoryCacheImageOutputStream

/**
 * Encodes images for a server with the JDK's JPEG encoder.
 *
 * @param quality 0 to 1; accuracy falls visibly below 0.4.
 */
public class JpegEncoder @JvmOverloads constructor(private val quality: Float = 0.6f) : FrameEncoder {
    override fun encode(rgb: ByteArray, width: Int, height: Int): ByteArray {
        val image = BufferedImage(width, height, BufferedImage.TYPE_3BYTE_BGR)
        image.raster.setDataElements(0, 0, width, height, rgb)
        val out = ByteArrayOutputStream()
        val writer = ImageIO.getImageWritersByFormatName("jpeg").next()
        MemoryCacheImageOutputStream(out).use { stream ->
            writer.output = stream
            val parameters = writer.defaultWriteParam
            parameters.compressionMode = ImageWriteParam.MODE_EXPLICIT
            parameters.compressionQuality = quality
            writer.write(null, IIOImage(image, null, null), parameters)
        }
        writer.dispose()
        return out.toByteArray()
    }
}
