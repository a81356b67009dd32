package io.tallylens.internal

import io.tallylens.ModelException
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.int
import kotlinx.serialization.json.double

private const val FORMAT_VERSION = 1
private const val DISTRIBUTION_VERSION = 2
private const val MAX_DOCUMENT_BYTES = 1 shl 20
private const val MAX_CLASSES = 10_000
private const val MAX_INPUT_SIDE = 8192
private const val MAX_HEADS = 8
private const val MAX_ANCHORS = 16
private const val MAX_STRIDE = 1024
private const val MAX_BINS = 64
private const val BOX_SIDES = 4
private const val CONVERT_AGAIN = "Convert the original checkpoint again with tallylens convert"

/**
 * The metadata that every artifact of tallylens carries; from an untrusted file, so checked field by field.
 *
 * @property anchors of each head: width and height of each anchor in input pixels, one after the other;
 *   none with `regMax`.
 * @property regMax bins of the distribution of each box side (YOLOv5u, YOLOv8, YOLO11); 0: anchors (YOLOv5). Such
 *   documents have format version 2.
 */
internal class Metadata(
    val classNames: List<String>, val inputHeight: Int, val inputWidth: Int, val strides: List<Int>,
    val anchors: List<List<Double>>, val headNames: List<String>, val layout: String, val quantization: String,
    val sourceName: String, val sourceSha256: String, val weightsLicense: String, val passes: JsonArray,
    val regMax: Int = 0,
) {
    /** Shape of head number `head` for an input of `size`, NHWC. */
    fun headShape(head: Int, size: InputSize): List<Int> =
        listOf(1, size.height / strides[head], size.width / strides[head], headChannels(head))

    private fun headChannels(head: Int): Int =
        if (regMax > 0) BOX_SIDES * regMax + classNames.size else anchors[head].size / 2 * (5 + classNames.size)

    companion object {
        /** @throws ModelException too large, not JSON, or a field is missing or out of its bounds. */
        fun parse(document: ByteArray): Metadata {
            if (document.size > MAX_DOCUMENT_BYTES) throw bad("the metadata is larger than $MAX_DOCUMENT_BYTES bytes")
            val parsed = try {
                Json.parseToJsonElement(String(document, Charsets.UTF_8))
            } catch (error: SerializationException) {
                throw bad("the metadata is not JSON", error)
            } catch (error: StackOverflowError) {
                throw bad("the metadata is not JSON", error)
            }
            val fields = parsed as? JsonObject ?: throw bad("the metadata is not a JSON object")
            val version = version(fields["format_version"])
            val metadata = try {
                read(fields, version)
            } catch (error: RuntimeException) {
                throw bad("a field of the metadata is missing or has the wrong type", error)
            }
            metadata.problem()?.let { throw bad("the metadata is inconsistent: expected $it") }
            return metadata
        }

        private fun version(value: JsonElement?): Int {
            val number = (value as? JsonPrimitive)?.takeUnless { it.isString }?.content
            if (number == "$FORMAT_VERSION" || number == "$DISTRIBUTION_VERSION") return number.toInt()
            throw ModelException(
                "unsupported metadata format version ${value.toString().take(20)}; this tallylens reads versions " +
                    "$FORMAT_VERSION and $DISTRIBUTION_VERSION",
                "Update tallylens, or convert the original checkpoint again",
            )
        }

        private fun read(fields: JsonObject, version: Int): Metadata {
            val (height, width) = fields.list("input_size").map { whole(it) }.also { require(it.size == 2) }
            require(fields.text("colour_order", 20) == "RGB")
            return Metadata(
                classNames = fields.list("class_names").map { text(it, 200) },
                inputHeight = height,
                inputWidth = width,
                strides = fields.list("strides").map(::whole),
                anchors = fields.list("anchors").map { head ->
                    (head as JsonArray).flatMap { pair -> (pair as JsonArray).also { require(it.size == 2) }.map(::number) }
                },
                headNames = fields.list("head_names").map { text(it, 200) },
                layout = fields.text("layout", 10),
                quantization = fields.text("quantization", 20).also { require(it in listOf("none", "fp16", "int8")) },
                sourceName = fields.text("source_name", 1000),
                sourceSha256 = fields.text("source_sha256", 64),
                weightsLicense = fields.text("weights_licence", 1000),
                passes = fields.list("passes").also { it.forEach(::checkPass) },
                regMax = if (version == DISTRIBUTION_VERSION) bins(fields.getValue("reg_max")) else 0,
            )
        }

        private fun checkPass(record: JsonElement) {
            val fields = record as JsonObject
            fields.text("name", 200)
            for ((name, value) in fields.getValue("effect") as JsonObject) {
                require(name.length <= 200)
                val figure = value as JsonPrimitive
                if (figure.isString) text(figure, 1000) else number(figure)
            }
        }

        private fun JsonObject.list(key: String): JsonArray = getValue(key) as JsonArray

        private fun JsonObject.text(key: String, limit: Int): String = text(getValue(key), limit)

        private fun text(value: JsonElement, limit: Int): String {
            val primitive = value as JsonPrimitive
            require(primitive.isString && primitive.content.length <= limit)
            return primitive.content
        }

        private fun whole(value: JsonElement): Int {
            val primitive = value as JsonPrimitive
            require(!primitive.isString)
            return primitive.int
        }

        private fun bins(value: JsonElement): Int = whole(value).also { require(it in 2..MAX_BINS) }

        private fun number(value: JsonElement): Double {
            val primitive = value as JsonPrimitive
            require(!primitive.isString)
            return primitive.double
        }

        private fun bad(problem: String, cause: Throwable? = null) = ModelException(problem, CONVERT_AGAIN, cause)
    }

    /** The first rule that the metadata breaks, in words, or null. */
    private fun problem(): String? {
        val heads = headNames.size
        val largest = strides.maxOrNull() ?: 1
        val sides = listOf(inputHeight, inputWidth)
        return when {
            classNames.size !in 1..MAX_CLASSES -> "1 to $MAX_CLASSES classes"
            heads !in 1..MAX_HEADS -> "1 to $MAX_HEADS heads"
            strides.size != heads || anchors.size != heads -> "one stride and one list of anchors per head"
            strides.any { it !in 1..MAX_STRIDE } -> "strides of 1 to $MAX_STRIDE"
            regMax > 0 && anchors.any { it.isNotEmpty() } -> "no anchors"
            regMax == 0 && anchors.any { it.size / 2 !in 1..MAX_ANCHORS } -> "1 to $MAX_ANCHORS anchors per head"
            anchors.flatten().any { !(it > 0 && it < Double.POSITIVE_INFINITY) } -> "anchors above zero"
            sides.any { it !in 1..MAX_INPUT_SIDE || it % largest != 0 } ->
                "an input size in multiples of the largest stride, up to $MAX_INPUT_SIDE pixels"
            layout != "NHWC" && layout != "NCHW" -> "layout NCHW or NHWC"
            else -> null
        }
    }
}
