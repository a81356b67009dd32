package io.tallylens

import io.tallylens.internal.TrackingOptions
import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.float
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/** The files of `mobile_bindings/conformance`. */
internal object Vectors {
    private val folder = File(System.getProperty("tallylens.conformance") ?: "../../conformance")

    fun document(name: String): JsonObject = Json.parseToJsonElement(File(folder, name).readText()).jsonObject

    fun cases(name: String): List<JsonObject> = document(name).getValue("cases").jsonArray.map { it.jsonObject }

    fun options(case: JsonObject): CounterOptions {
        val builder = CounterOptions.Builder()
        for (line in case["lines"]?.jsonArray.orEmpty().map { it.jsonObject }) {
            val (x1, y1) = floats(line.getValue("a"))
            val (x2, y2) = floats(line.getValue("b"))
            builder.lines(Line(x1, y1, x2, y2, extend = line.optional("extend")?.boolean ?: false))
        }
        for (zone in case["zones"]?.jsonArray.orEmpty().map { it.jsonObject }) {
            val corners = zone.getValue("corners").jsonArray.flatMap(::floats)
            builder.zones(Zone(corners, minDwellSeconds = zone.optional("least_dwell_s")?.float ?: 0f))
        }
        for (area in case["ignore"]?.jsonArray.orEmpty()) builder.ignore(Zone(area.jsonArray.flatMap(::floats)))
        val options = case.options()
        if (options.optional("any_class")?.boolean == true) builder.anyClass()
        return builder.tracking(tracking(options)).build()
    }

    private fun tracking(options: JsonObject): TrackingOptions {
        val known = setOf(
            "any_class", "num_classes", "anchor", "low_confidence", "high_confidence", "new_confidence", "confirm_s",
            "confirm_confidence", "lost_s", "edge_lost_s", "hysteresis", "remember_s", "min_size", "max_size",
        )
        require(known.containsAll(options.keys)) { "options that are not known: ${options.keys - known}" }
        val anchors = mapOf("bottom-center" to 0, "center" to 1, "top-center" to 2)
        return TrackingOptions(
            options.optional("anchor")?.let { if (it.isString) anchors.getValue(it.content) else it.int },
            options.optional("low_confidence")?.float, options.optional("high_confidence")?.float,
            options.optional("new_confidence")?.float, options.optional("confirm_s")?.float,
            options.optional("confirm_confidence")?.float, options.optional("lost_s")?.float,
            options.optional("edge_lost_s")?.float, options.optional("hysteresis")?.float,
            options.optional("remember_s")?.float,
            options.optional("min_size")?.float, options.optional("max_size")?.float,
        )
    }

    fun detections(rows: JsonElement): List<Detection> = rows.jsonArray.map(::floats).map {
        Detection(it[0], it[1], it[2], it[3], it[4], it[5].toInt())
    }

    fun floats(values: JsonElement): List<Float> = values.jsonArray.map { it.jsonPrimitive.float }
}
