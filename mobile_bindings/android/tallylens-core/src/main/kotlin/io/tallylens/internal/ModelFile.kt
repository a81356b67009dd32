package io.tallylens.internal

import io.tallylens.ModelException
import io.tallylens.UnsupportedModelException
import java.nio.ByteBuffer

/** Model files, which the core checks before LiteRT reads them: LiteRT ends the process on some damaged ones. */
internal object ModelFile {
    private const val MAX_DOCUMENT_BYTES = 1 shl 20

    /**
     * The metadata document inside a `.tflite` file.
     *
     * @throws ModelException it is damaged.
     * @throws UnsupportedModelException it is not of tallylens.
     */
    fun document(model: ByteBuffer): ByteArray {
        val out = directBuffer(MAX_DOCUMENT_BYTES)
        val size = Native.modelDocument(model, model.capacity().toLong(), out)
        if (size < 0) throw refusal(-size, out.errorText())
        return ByteArray(size) { out.get(it) }
    }

    /** A copy of the model whose input is `width` x `height`, null if it depends on its own size. */
    fun resized(model: ByteBuffer, metadata: Metadata, width: Int, height: Int): ByteBuffer? {
        val copy = directBuffer(model.capacity())
        copy.put(model.duplicate().apply { clear() })
        val status = Native.modelResize(copy, metadata.inputWidth, metadata.inputHeight, width, height)
        if (status == Status.UNSUPPORTED_MODEL) return null
        check(status, "")
        return copy
    }

    private fun refusal(status: Int, problem: String): Exception = when (status) {
        Status.UNSUPPORTED_MODEL -> UnsupportedModelException(
            problem.ifEmpty { "a TFLite model without tallylens metadata" },
            "Convert the checkpoint (.pt or .onnx) that it was made from with tallylens convert",
        )
        else -> ModelException(problem.ifEmpty { "the TFLite model is damaged" }, "Copy or convert it again")
    }
}
