package io.tallylens

import io.tallylens.cloud.BYE
import io.tallylens.cloud.ClientSession
import io.tallylens.cloud.Codec
import io.tallylens.cloud.Drain
import io.tallylens.cloud.EncodedImage
import io.tallylens.cloud.FrameMessage
import io.tallylens.cloud.Reject
import io.tallylens.cloud.Result
import io.tallylens.cloud.ServerMessage
import io.tallylens.cloud.Summary
import io.tallylens.cloud.Welcome
import io.tallylens.cloud.decodeClient
import io.tallylens.cloud.decodeServer
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The files of `conformance/protocol`. */
class ProtocolVectorsTest {
    private fun vectors(name: String) =
        Vectors.document("protocol/$name.json").getValue("vectors").jsonArray.map { it.jsonObject }

    private fun JsonObject.text(key: String) = getValue(key).jsonPrimitive.content

    private fun JsonObject.number(key: String) = getValue(key).jsonPrimitive.long

    private fun bytes(hex: String) = ByteArray(hex.length / 2) { hex.substring(2 * it, 2 * it + 2).toInt(16).toByte() }

    private fun hex(bytes: ByteArray) = bytes.joinToString("") { "%02x".format(it) }

    @Test
    fun frames() {
        for (vector in vectors("frames")) {
            val message = vector.text("message")
            val error = vector.optional("error")?.content
            if (error != null) {
                val thrown = assertThrows(CloudException::class.java) { FrameMessage.decode(bytes(message)) }
                assertTrue(thrown.message!!, thrown.message!!.startsWith(error))
                continue
            }
            val header = vector.getValue("header").jsonObject
            val frame = FrameMessage(
                header.number("sequence"), header.number("capture_us"), header.number("deadline_ms"),
                header.number("width").toInt(), header.number("height").toInt(), Codec.entries[header.number("codec").toInt() - 1],
                header.number("flags") == 1L,
            )
            assertEquals(message, hex(frame.encode(bytes(vector.text("picture")))))
            val (decoded, image) = FrameMessage.decode(bytes(message))
            assertEquals(message, hex(decoded.encode(image)))
        }
    }

    @Test
    fun messages() {
        for (vector in vectors("messages")) {
            val text = vector.text("text")
            val decode: (String) -> Any? = if (vector.text("from") == "client") ::decodeClient else ::decodeServer
            if (vector.text("valid") == "false") {
                assertThrows(text, CloudException::class.java) { decode(text) }
                continue
            }
            val canonical = vector.getValue("canonical").jsonObject
            val message = decode(text)
            if (vector.text("from") == "client") {
                val encoded = if (message == null) BYE else (message as io.tallylens.cloud.Hello).encode()
                assertEquals(canonical, Json.parseToJsonElement(encoded))
            } else {
                compare(canonical, message as ServerMessage)
            }
        }
    }

    private fun compare(canonical: JsonObject, message: ServerMessage) {
        val number = { key: String -> canonical.optional(key)?.long ?: 0 }
        when (message) {
            is Welcome -> {
                assertEquals(canonical.text("session") to canonical.text("resume"), message.session to message.resume)
                assertEquals(canonical.text("resumed"), "${message.resumed}")
                assertEquals(listOf(number("ack"), number("credits")), listOf(message.ack, message.credits.toLong()))
                assertEquals(canonical.getValue("limits").jsonObject.number("frame_bytes"), message.frameBytes)
                assertEquals(canonical.getValue("classes").jsonArray.map { it.jsonPrimitive.content }, message.classes)
                val sizes = listOf(listOf(message.inputHeight, message.inputWidth), message.strides)
                assertEquals(listOf("input_size", "strides").map { key -> canonical.getValue(key).jsonArray.map { it.jsonPrimitive.int } }, sizes)
                assertEquals(canonical.text("model") to canonical.optional("digest")?.content.orEmpty(), message.model to message.digest)
            }
            is Result -> {
                assertEquals(listOf("sequence", "ack", "credits").map(number), listOf(message.sequence, message.ack, message.credits.toLong()))
                val rows = canonical["detections"]?.let(Vectors::detections).orEmpty()
                assertEquals(rows, message.detections)
                assertEquals(canonical.optional("queue_ms")?.double ?: 0.0, message.queueMs, 0.0)
                assertEquals(canonical.optional("work_ms")?.double ?: 0.0, message.workMs, 0.0)
            }
            is Reject -> {
                val numbers = listOf("sequence", "ack", "credits", "retry_after_ms").map(number)
                assertEquals(numbers, listOf(message.sequence, message.ack, message.credits.toLong(), message.retryAfterMs))
                assertEquals(canonical.text("reason"), message.reason)
            }
            is Drain -> assertEquals(canonical.optional("seconds")?.double ?: 0.0, message.seconds, 0.0)
            is Summary -> {
                assertEquals(listOf("frames", "answered").map(number), listOf(message.frames, message.answered))
                val rejected = canonical["rejected"]?.jsonObject?.mapValues { it.value.jsonPrimitive.long }.orEmpty()
                assertEquals(rejected, message.rejected)
                assertEquals(canonical["counts"] ?: JsonObject(emptyMap()), message.counts)
            }
        }
    }

    @Test
    fun session() {
        val session = ClientSession()
        var messages = ArrayDeque<ByteArray>()
        for (step in vectors("session")) {
            val now = step.getValue("at").jsonPrimitive.double
            val connection = step.optional("connection")?.content
            when {
                connection == "lost" -> session.connectionLost()
                connection == "open" -> assertEquals(step.getValue("says"), Json.parseToJsonElement(session.hello().encode()))
                "receives" in step -> {
                    session.messageReceived(step.getValue("receives").toString())
                    messages = sent(session, now)
                }
                "offers" in step -> {
                    val image = EncodedImage(bytes(step.text("offers")), step.number("width").toInt(), step.number("height").toInt())
                    val taken = session.submit(image, (now * 1e6).toLong(), now + step.getValue("seconds").jsonPrimitive.double)
                    assertEquals(step.text("sequence"), "${taken?.sequence}")
                    messages = sent(session, now)
                }
                else -> assertEquals(step.text("sends"), hex(messages.removeFirst()))
            }
        }
        assertTrue(messages.isEmpty())
    }

    private fun sent(session: ClientSession, now: Double): ArrayDeque<ByteArray> {
        val messages = ArrayDeque<ByteArray>()
        while (true) messages += session.frameToSend(now)?.second ?: return messages
    }
}
