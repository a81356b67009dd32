package io.tallylens

import io.tallylens.internal.Metadata
import io.tallylens.internal.ModelFile
import io.tallylens.internal.directBuffer
import java.io.File
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/**
 * A model file that `tallylens convert` wrote (`.tflite`), checked and ready to be opened.
 *
 * @property name for reports.
 * @property classNames by class id.
 */
public class Model private constructor(
    public val name: String,
    internal val bytes: ByteBuffer,
    internal val metadata: Metadata,
) {
    public val classNames: List<String> get() = metadata.classNames

    /** Width of the input in pixels. */
    public val inputWidth: Int get() = metadata.inputWidth

    /** Height of the input in pixels. */
    public val inputHeight: Int get() = metadata.inputHeight

    public companion object {
        private const val MAX_BYTES = 1L shl 30

        /**
         * The model in a file, which is mapped, not read.
         *
         * @throws ModelException it is damaged.
         * @throws UnsupportedModelException it is not of tallylens.
         */
        @JvmStatic
        public fun load(file: File): Model = RandomAccessFile(file, "r").use { opened ->
            if (opened.length() > MAX_BYTES) throw ModelException("$file has ${opened.length()} bytes", "Use a model below 1 GiB")
            of(opened.channel.map(FileChannel.MapMode.READ_ONLY, 0, opened.length()), file.path)
        }

        /** The model in a direct buffer, such as a mapped asset; the buffer must not change afterwards. */
        @JvmStatic
        @JvmOverloads
        public fun of(bytes: ByteBuffer, name: String = "model"): Model {
            val direct = if (bytes.isDirect) bytes.slice() else directBuffer(bytes.remaining()).also { it.put(bytes.duplicate()) }
            direct.clear()
            return Model(name, direct, Metadata.parse(ModelFile.document(direct)))
        }
    }
}
