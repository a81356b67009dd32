package io.tallylens

import io.tallylens.internal.FrameBuffer
import io.tallylens.internal.FrameView
import io.tallylens.internal.ImageFields
import io.tallylens.internal.Native
import io.tallylens.internal.OffloadPolicy
import io.tallylens.internal.Status
import io.tallylens.internal.directBuffer
import java.nio.ByteBuffer
import java.util.Base64
import kotlin.math.abs
import kotlin.math.max
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** `offload.json`: rewards, reasons, decisions, links, waiting times and late answers. */
class OffloadVectorsTest {
    private val vectors = Vectors.document("offload.json")
    private val out = directBuffer(512)

    private fun part(name: String): List<JsonElement> = vectors.getValue(name).jsonArray.also { assertTrue(it.isNotEmpty()) }

    private fun JsonObject.list(key: String) = getValue(key).jsonArray

    private fun number(value: JsonElement) = if (value is JsonNull) Double.POSITIVE_INFINITY else value.jsonPrimitive.double

    private fun near(name: String, expected: JsonElement, found: Double) {
        val wanted = number(expected)
        assertTrue("$name: $found, not $wanted", wanted == found || abs(wanted - found) <= 1e-12 * max(1.0, abs(wanted)))
    }

    private fun made(status: Int): Long {
        assertEquals(Status.OK, status)
        return out.getLong(0)
    }

    private fun rows(rows: JsonElement): Pair<FrameBuffer, Int> {
        val found = Vectors.detections(rows)
        return FrameBuffer(max(found.size, 1), 0, 0).apply { put(found) } to found.size
    }

    private fun FrameBuffer.detectionBytes(): ByteBuffer = bytes.duplicate().apply { position(56) }.slice()

    @Test
    fun everyPartIsRead() =
        assertEquals(setOf("version", "reward", "static_reason", "decide", "link", "waiting", "late", "view", "skip"), vectors.keys)

    @Test
    fun view() {
        val formats = listOf("BGR", "RGB", "BGRA", "RGBA")
        for (case in part("view").map { it.jsonObject }) {
            val image = case.getValue("image").jsonObject
            val (width, height, rotation) = listOf("width", "height", "rotation").map { image.getValue(it).jsonPrimitive.int }
            val format = image.getValue("format").jsonPrimitive.content
            val pixels = Base64.getDecoder().decode(case.getValue("pixels").jsonPrimitive.content)
            val memory = directBuffer(pixels.size).apply { put(pixels) }
            val fields = ImageFields()
            fields.bytes.putInt(0, formats.indexOf(format)).putInt(4, width).putInt(8, height).putInt(12, rotation)
            fields.bytes.putInt(16, format.length * width)
            val found = FrameView.of(fields, arrayOf(memory, null, null))
            assertEquals("$image", case.list("cells").map { it.jsonPrimitive.int }, found.levels())
        }
    }

    @Test
    fun skip() {
        for (case in part("skip").map { it.jsonObject }) {
            val mode = OffloadMode.valueOf(case.getValue("mode").jsonPrimitive.content.uppercase())
            val decision = OffloadPolicy(mode, 0.8).use { it.skip(case.getValue("difference").jsonPrimitive.double) }
            val wanted = if (case.getValue("skip").jsonPrimitive.boolean) "skip" else null
            assertEquals("$case", wanted, decision?.action)
        }
    }

    @Test
    fun reward() {
        for (case in part("reward").map { it.jsonObject }) {
            val scores = Vectors.floats(case.getValue("scores"))
            val buffer = FrameBuffer(max(scores.size, 1), 0, 0).apply { put(scores.map { Detection(0f, 0f, 9f, 9f, it, 0) }) }
            assertEquals(Status.OK, Native.offloadReward(buffer.detectionBytes(), scores.size, out))
            assertEquals(case.list("features").map { it.jsonPrimitive.double }, List(5) { out.getDouble(8 * it) })
            near("reward", case.getValue("reward"), out.getDouble(40))
        }
    }

    @Test
    fun staticReason() {
        for (case in part("static_reason").map { it.jsonObject }) {
            val facts = case.getValue("facts").jsonObject
            val whole = { key: String -> facts.getValue(key).jsonPrimitive.long }
            val reason = Native.offloadStaticReason(
                whole("live").toInt(), whole("model_bytes"), whole("memory_bytes"), number(facts.getValue("local_s")),
                number(facts.getValue("cloud_s")),
            )
            assertEquals(case.getValue("reason").jsonPrimitive.content, Native.reasonName(reason))
        }
    }

    @Test
    fun decide() {
        for (case in part("decide").map { it.jsonObject }) {
            val mode = listOf("never", "auto", "always").indexOf(case.getValue("mode").jsonPrimitive.content)
            val offload = made(Native.offloadCreate(mode, number(case.getValue("share")), out))
            for ((index, step) in case.list("steps").map { it.jsonObject }.withIndex()) {
                assertEquals(Status.OK, Native.offloadDecide(offload, facts(step.getValue("facts").jsonObject), out))
                val (action, reason) = step.list("decision").map { it.jsonPrimitive.content }
                assertEquals("step $index", action, listOf("local", "cloud", "skip")[out.getInt(0)])
                assertEquals("step $index", reason, Native.reasonName(out.getInt(4)))
            }
            Native.offloadDestroy(offload)
        }
    }

    private fun facts(facts: JsonObject): ByteBuffer {
        val bytes = directBuffer(96)
        listOf("connected", "allowed", "smallest", "measuring").forEachIndexed { i, key ->
            bytes.putInt(4 + 4 * i, facts.getValue(key).jsonPrimitive.int)
        }
        val reason = facts.getValue("static_reason").jsonPrimitive.content
        bytes.putInt(20, (0..99).first { Native.reasonName(it) == reason })
        bytes.putLong(24, facts.getValue("credits_left").jsonPrimitive.long)
        val doubles = listOf(
            "reward", "link_debt_s", "silent_s", "silence_limit_s", "expected_s", "deadline_s", "local_s", "waiting_s",
        )
        doubles.forEachIndexed { i, key -> bytes.putDouble(32 + 8 * i, number(facts.getValue(key))) }
        assertEquals(setOf("connected", "allowed", "smallest", "measuring", "static_reason", "credits_left") + doubles, facts.keys)
        return bytes
    }

    @Test
    fun link() {
        for (steps in part("link")) {
            val link = made(Native.linkCreate(out))
            for (step in steps.jsonArray.map { it.jsonArray }) {
                val name = step[0].jsonPrimitive.content
                val given = step[1].jsonArray.map { it.jsonPrimitive }
                val status = when (name) {
                    "welcomed" -> Native.linkWelcomed(link, given[0].double)
                    "sent" -> Native.linkSent(link, given[0].long, given[1].long, given[2].double)
                    "answered" -> Native.linkAnswered(link, given[0].long, given[1].double, given[2].double)
                    else -> Native.linkLost(link).also { assertEquals("lost", name) }
                }
                assertEquals(Status.OK, status)
                val now = step[2].jsonPrimitive.double
                assertEquals(Status.OK, Native.linkState(link, now, out))
                state("$name at $now", step[3].jsonObject)
                assertEquals(Status.OK, Native.linkExpected(link, 50_000, now, out))
                near("$name at $now", step[4], out.getDouble(0))
            }
            Native.linkDestroy(link)
        }
    }

    private fun state(name: String, expected: JsonObject) {
        val averages = mapOf("rtt" to 8, "server" to 32, "bandwidth" to 56)
        val doubles = mapOf("silent_s" to 88, "silence_limit_s" to 96, "transit_s" to 104, "busy_s" to 112, "debt_s" to 120)
        for ((key, at) in averages) {
            val (mean, p95, samples) = expected.getValue(key) as JsonArray
            near("$name: $key", mean, out.getDouble(at))
            near("$name: $key", p95, out.getDouble(at + 8))
            assertEquals("$name: $key", samples.jsonPrimitive.long, out.getLong(at + 16))
        }
        for ((key, at) in doubles) near("$name: $key", expected.getValue(key), out.getDouble(at))
        assertEquals(name, expected.getValue("measured").jsonPrimitive.int, out.getInt(4))
        assertEquals(name, expected.getValue("unanswered").jsonPrimitive.long, out.getLong(80))
        assertEquals(averages.keys + doubles.keys + setOf("measured", "unanswered"), expected.keys)
    }

    @Test
    fun waiting() {
        for (case in part("waiting").map { it.jsonObject }) {
            val waiting = made(Native.waitingCreate(case.getValue("engines").jsonPrimitive.int, out))
            for (step in case.list("steps").map { it.jsonArray }) {
                val name = step[0].jsonPrimitive.content
                val given = step[1].jsonArray.map { it.jsonPrimitive }
                val status = when (name) {
                    "start" -> Native.waitingStart(waiting, given[0].double)
                    "wait" -> Native.waitingWait(waiting, given[0].double, given[1].int)
                    "compute" -> Native.waitingCompute(waiting, given[0].double, given[1].int)
                    else -> Native.waitingSaved(waiting, given[0].double).also { assertEquals("saved", name) }
                }
                assertEquals(Status.OK, status)
                assertEquals(Status.OK, Native.waitingLeft(waiting, step[2].jsonPrimitive.double, out))
                near(name, step[3], out.getDouble(0))
            }
            Native.waitingDestroy(waiting)
        }
    }

    @Test
    fun late() {
        var corrected = 0
        for (steps in part("late")) {
            val late = made(Native.lateCreate(out))
            for (step in steps.jsonArray.map { it.jsonArray }) {
                val (buffer, count) = rows(step[1])
                val now = step[2].jsonPrimitive.double
                if (step[0].jsonPrimitive.content == "note") {
                    assertEquals(Status.OK, Native.lateNote(late, buffer.detectionBytes(), count, now))
                    continue
                }
                corrected += Native.lateApply(late, buffer.detectionBytes(), count, now).also { assertTrue("$it", it >= 0) }
                buffer.bytes.putInt(0, count)
                assertEquals(step[3].jsonArray.map { it.jsonPrimitive.int }, buffer.detections().map { it.classId })
            }
            Native.lateDestroy(late)
        }
        assertTrue(corrected > 0)
    }
}
