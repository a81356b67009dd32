package io.tallylens.internal

import io.tallylens.ModelException
import io.tallylens.UnsupportedModelException
import java.nio.ByteBuffer

/** The metadata document inside a model file, after the core has checked the whole file. */
internal object ModelFile {
    private const val IDENTIFIER_AT = 4

    fun document(model: ByteBuffer): ByteArray {
        val identifier = "TFL3".toByteArray()
        if (model.capacity() < 8 || identifier.indices.any { model.get(IDENTIFIER_AT + it) != identifier[it] }) {
            throw ModelException("not a TFLite model", "Use a file written by tallylens convert")
        }
        // FIXME(tally_model)
        val all = ByteArray(model.capacity()) { model.get(it) }
        val text = String(all, Charsets.ISO_8859_1)
        val start = text.indexOf("{\"anchors\"")
        if (start < 0) throw UnsupportedModelException("a TFLite model without tallylens metadata", "Convert the checkpoint")
        return all.copyOfRange(start, text.indexOf('\u0000', start).let { if (it < 0) all.size else it })
    }
}
