package io.tallylens.cloud

import io.tallylens.CloudException
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.doubleOrNull
import kotlinx.serialization.json.longOrNull

private const val MAX_NUMBER = 1e12

/** The fields of one JSON object from an untrusted peer, each read within its bounds; unknown ones are ignored. */
internal class JsonFields(val document: JsonObject, private val where: String) {
    fun invalid(name: String): CloudException = violation("$where: missing or invalid $name")

    private fun primitive(name: String): JsonPrimitive? = when (val value = document[name]) {
        null -> null
        is JsonNull -> throw invalid(name)
        is JsonPrimitive -> value
        else -> throw invalid(name)
    }

    fun text(name: String, limit: Int, default: String? = null): String {
        val value = primitive(name) ?: return default ?: throw invalid(name)
        if (!value.isString || value.content.length > limit) throw invalid(name)
        return value.content
    }

    fun oneOf(name: String, choices: Collection<String>, default: String? = null): String =
        text(name, 40, default).also { if (it !in choices) throw invalid(name) }

    fun flag(name: String, default: Boolean? = null): Boolean {
        val value = primitive(name) ?: return default ?: throw invalid(name)
        return value.booleanOrNull?.takeIf { !value.isString } ?: throw invalid(name)
    }

    fun whole(name: String, limit: Long, default: Long? = null): Long {
        val value = primitive(name) ?: return default ?: throw invalid(name)
        return value.longOrNull?.takeIf { !value.isString && it in 0..limit } ?: throw invalid(name)
    }

    fun number(name: String, default: Double? = null): Double {
        val value = primitive(name) ?: return default ?: throw invalid(name)
        return number(value) ?: throw invalid(name)
    }

    fun items(name: String, limit: Int): List<JsonElement> {
        val value = document[name] ?: return emptyList()
        if (value !is JsonArray || value.size > limit) throw invalid(name)
        return value
    }

    fun objectOf(name: String): JsonObject =
        (document[name] ?: JsonObject(emptyMap())) as? JsonObject ?: throw invalid(name)

    companion object {
        /** A finite number within bounds, else null. */
        fun number(value: JsonElement): Double? = (value as? JsonPrimitive)?.takeIf { !it.isString }?.doubleOrNull
            ?.takeIf { it >= -MAX_NUMBER && it <= MAX_NUMBER }

        /**
         * The `type` of a JSON object of at most `limit` characters, and its fields.
         *
         * @throws CloudException too long, not JSON, or not an object with a type.
         */
        fun read(text: String, limit: Int): Pair<String, JsonFields> {
            if (text.length > limit) throw violation("a text message of ${text.length} characters")
            val document = try {
                Json.parseToJsonElement(text)
            } catch (error: SerializationException) {
                throw violation("a text message that is not JSON", error)
            } catch (error: StackOverflowError) {
                throw violation("a text message that is not JSON", error)
            }
            if (document !is JsonObject) throw violation("a text message that is not a JSON object")
            val kind = JsonFields(document, "the message").text("type", 40)
            return kind to JsonFields(document, kind)
        }
    }
}
