package io.tallylens.cloud

import io.tallylens.Detection
import io.tallylens.Line
import io.tallylens.UsageException
import io.tallylens.Zone
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

internal const val SUBPROTOCOL = "tallylens.v1"
internal const val STREAM_PATH = "/v1/stream"
internal const val MAX_FRAME_BYTES = 4 shl 20
internal const val MAX_SEQUENCE = 0xffffffffL
private const val MAX_CLIENT_TEXT = 16 shl 10
private const val MAX_SERVER_TEXT = 1 shl 20
private const val MAX_CREDITS = 64L
private const val MAX_DETECTIONS = 1000
private const val MAX_CLASSES = 10_000
private const val MAX_TOTAL = 1L shl 62
private const val MIN_LENGTH = 1e-5f
private val REASONS = listOf("late", "too_big", "undecodable", "over_quota", "no_credit", "forgotten", "busy", "failed")

/** The client's first message. */
internal class Hello(
    val mode: String = "detect", val session: String = "", val resume: String = "", val places: List<Any> = emptyList(),
    val anyClass: Boolean = false,
) {
    fun resuming(welcome: Welcome) = Hello(mode, welcome.session, welcome.resume, places, anyClass)

    fun encode(): String = JsonObject(
        buildMap {
            put("type", JsonPrimitive("hello"))
            if (mode != "detect") put("mode", JsonPrimitive(mode))
            if (session.isNotEmpty()) put("session", JsonPrimitive(session))
            if (resume.isNotEmpty()) put("resume", JsonPrimitive(resume))
            if (places.isNotEmpty()) put("places", JsonArray(places.map(::encodePlace)))
            if (anyClass) put("any_class", JsonPrimitive(true))
        },
    ).toString()
}

internal const val BYE = "{\"type\":\"bye\"}"

/** What a server says. */
internal sealed class ServerMessage

internal class Welcome(
    val session: String, val resume: String, val resumed: Boolean, val ack: Long, val credits: Int,
    val frameBytes: Long, val model: String, val inputHeight: Int, val inputWidth: Int, val classes: List<String>,
    val strides: List<Int>, val digest: String,
) : ServerMessage()

internal class Result(
    val sequence: Long, val ack: Long, val credits: Int, val detections: List<Detection>, val queueMs: Double,
    val workMs: Double,
) : ServerMessage()

internal class Reject(
    val sequence: Long, val ack: Long, val credits: Int, val reason: String, val retryAfterMs: Long,
) : ServerMessage()

internal class Drain(val seconds: Double) : ServerMessage()

internal class Summary(val frames: Long, val answered: Long, val rejected: Map<String, Long>, val counts: JsonObject) :
    ServerMessage()

/**
 * The message of a server.
 *
 * @throws io.tallylens.CloudException too long, not JSON, or not a message of a server.
 */
internal fun decodeServer(text: String): ServerMessage {
    val (kind, of) = JsonFields.read(text, MAX_SERVER_TEXT)
    return when (kind) {
        "welcome" -> welcome(of)
        "result" -> Result(
            of.whole("sequence", MAX_SEQUENCE), of.whole("ack", MAX_SEQUENCE), credits(of),
            of.items("detections", MAX_DETECTIONS).map(::detection), of.number("queue_ms", 0.0), of.number("work_ms", 0.0),
        )
        "reject" -> Reject(
            of.whole("sequence", MAX_SEQUENCE), of.whole("ack", MAX_SEQUENCE), credits(of), of.oneOf("reason", REASONS),
            of.whole("retry_after_ms", 1L shl 40, 0),
        )
        "drain" -> Drain(of.number("seconds", 0.0))
        "summary" -> {
            val rejected = JsonFields(of.objectOf("rejected"), "rejected")
            Summary(
                of.whole("frames", MAX_TOTAL), of.whole("answered", MAX_TOTAL),
                rejected.document.keys.associateWith { rejected.whole(it, MAX_TOTAL) }, of.objectOf("counts"),
            )
        }
        else -> throw violation("unknown server message '${kind.take(40)}'")
    }
}

private fun credits(of: JsonFields): Int = of.whole("credits", MAX_CREDITS).toInt()

private fun welcome(of: JsonFields): Welcome {
    val size = of.items("input_size", 2).map(::side)
    if (size.size != 2 || size.any { it < 1 }) throw of.invalid("input_size")
    val limits = JsonFields(of.objectOf("limits"), "limits")
    for (name in listOf("pixels", "frames_per_second", "frames_per_day")) limits.whole(name, MAX_TOTAL)
    return Welcome(
        of.text("session", 64), of.text("resume", 128), of.flag("resumed"), of.whole("ack", MAX_SEQUENCE), credits(of),
        limits.whole("frame_bytes", MAX_TOTAL), of.text("model", 200), size[0], size[1],
        of.items("classes", MAX_CLASSES).map(::className), of.items("strides", 8).map(::side), of.text("digest", 64, ""),
    )
}

private fun side(value: JsonElement): Int = JsonFields.number(value)?.toInt() ?: throw violation("invalid size")

private fun className(value: JsonElement): String =
    (value as? JsonPrimitive)?.takeIf { it.isString && it.content.length <= 200 }?.content ?: throw violation("invalid class name")

private fun detection(value: JsonElement): Detection {
    val numbers = (value as? JsonArray)?.mapNotNull(JsonFields::number).orEmpty()
    if (numbers.size != 6 || value !is JsonArray || value.size != 6) throw violation("invalid detection")
    val (confidence, kind) = numbers.drop(4)
    val isClass = kind >= 0 && kind < MAX_CLASSES && kind == Math.floor(kind)
    if (!(confidence in 0.0..1.0) || !isClass) throw violation("invalid detection")
    return Detection(
        numbers[0].toFloat(), numbers[1].toFloat(), numbers[2].toFloat(), numbers[3].toFloat(), confidence.toFloat(), kind.toInt(),
    )
}

/**
 * The message of a client, null for `bye`; for servers, and the conformance vectors.
 *
 * @throws io.tallylens.CloudException too long, not JSON, or not a message of a client.
 */
internal fun decodeClient(text: String): Hello? {
    val (kind, of) = JsonFields.read(text, MAX_CLIENT_TEXT)
    if (kind == "bye") return null
    if (kind != "hello") throw violation("unknown client message '${kind.take(40)}'")
    return Hello(
        of.oneOf("mode", listOf("detect", "count"), "detect"), of.text("session", 64, ""), of.text("resume", 128, ""),
        of.items("places", 64).map(::decodePlace), of.flag("any_class", false),
    )
}

private fun encodePlace(place: Any): JsonObject = JsonObject(
    buildMap {
        val (kind, corners) = if (place is Line) "line" to listOf(place.x1, place.y1, place.x2, place.y2) else "zone" to (place as Zone).corners
        put("kind", JsonPrimitive(kind))
        put("points", JsonArray(corners.chunked(2) { pair -> JsonArray(pair.map { JsonPrimitive(it.toString().toDouble()) }) }))
        put("name", JsonPrimitive(if (place is Line) place.name else (place as Zone).name))
        if (place is Line && place.extend) put("extend", JsonPrimitive(true))
        if (place is Line && (place.inName != "in" || place.outName != "out")) {
            put("in_name", JsonPrimitive(place.inName))
            put("out_name", JsonPrimitive(place.outName))
        }
        if (place is Zone && place.minDwellSeconds != 0f) {
            put("min_dwell_s", JsonPrimitive(place.minDwellSeconds.toString().toDouble()))
        }
    },
)

private fun decodePlace(value: JsonElement): Any {
    val of = JsonFields(value as? JsonObject ?: throw violation("invalid region"), "region")
    val kind = of.oneOf("kind", listOf("line", "zone"))
    val points = of.items("points", 256).flatMap { point ->
        val pair = (point as? JsonArray)?.mapNotNull(JsonFields::number).orEmpty()
        if (pair.size != 2 || pair.any { it !in 0.0..1.0 }) throw violation("invalid point")
        pair.map { it.toFloat() }
    }
    if (if (kind == "line") points.size != 4 else points.size < 6) throw of.invalid("points")
    val name = of.text("name", 200, "")
    return try {
        if (kind == "zone") {
            Zone(points, name, of.number("min_dwell_s", 0.0).toFloat())
        } else {
            val line = Line(
                points[0], points[1], points[2], points[3], name, of.flag("extend", false), of.text("in_name", 200, "in"),
                of.text("out_name", 200, "out"),
            )
            if (maxOf(Math.abs(line.x2 - line.x1), Math.abs(line.y2 - line.y1)) < MIN_LENGTH) throw of.invalid("points")
            line
        }
    } catch (error: UsageException) {
        throw violation("region: ${error.message}", error)
    }
}
