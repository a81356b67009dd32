package io.tallylens

import io.tallylens.internal.Metadata
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

/** The documents of `metadata.json`: read, or refused. */
class MetadataVectorsTest {
    @Test
    fun documents() {
        for (case in Vectors.cases("metadata.json")) {
            val name = case.optional("name")!!.content
            val document = case.optional("document")!!.content.toByteArray()
            if (case.getValue("expected") is JsonNull) {
                assertThrows(name, ModelException::class.java) { Metadata.parse(document) }
                continue
            }
            val expected = case.getValue("expected").jsonObject
            val found = json(Metadata.parse(document))
            for ((key, value) in found - "reg_max") assertEquals("$name: $key", value, doubles(key, expected.getValue(key)))
            assertEquals(name, expected["reg_max"] ?: JsonPrimitive(0), found.getValue("reg_max"))
            assertEquals(expected.keys - "format_version" - "colour_order", found.keys - if ("reg_max" in expected) "" else "reg_max")
        }
    }

    private fun doubles(key: String, value: kotlinx.serialization.json.JsonElement) =
        if (key != "anchors") value else JsonArray(value.jsonArray.map { head ->
            JsonArray(head.jsonArray.map { pair -> JsonArray(pair.jsonArray.map { JsonPrimitive(it.toString().toDouble()) }) })
        })

    private fun json(one: Metadata) = JsonObject(
        mapOf(
            "class_names" to texts(one.classNames),
            "input_size" to numbers(listOf(one.inputHeight, one.inputWidth)),
            "strides" to numbers(one.strides),
            "anchors" to JsonArray(one.anchors.map { head ->
                JsonArray(head.chunked(2) { pair -> JsonArray(pair.map(::JsonPrimitive)) })
            }),
            "head_names" to texts(one.headNames),
            "layout" to JsonPrimitive(one.layout),
            "quantization" to JsonPrimitive(one.quantization),
            "source_name" to JsonPrimitive(one.sourceName),
            "source_sha256" to JsonPrimitive(one.sourceSha256),
            "weights_licence" to JsonPrimitive(one.weightsLicense),
            "passes" to one.passes,
            "reg_max" to JsonPrimitive(one.regMax),
        ),
    )

    private fun texts(values: List<String>) = JsonArray(values.map(::JsonPrimitive))

    private fun numbers(values: List<Int>) = JsonArray(values.map(::JsonPrimitive))
}
