package io.tallylens

import io.tallylens.internal.FrameBuffer
import io.tallylens.internal.Native
import io.tallylens.internal.OPTIONS_BYTES
import io.tallylens.internal.Status
import io.tallylens.internal.directBuffer
import java.nio.ByteBuffer
import java.util.Base64
import kotlin.math.abs
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.double
import kotlinx.serialization.json.float
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** `decode.json`, `preprocess.json` and `governor.json`, on the functions that are bound. */
class CoreVectorsTest {
    private val dtypes = listOf("uint8", "int8", "float32", "float16")

    private fun JsonObject.whole(key: String) = getValue(key).jsonPrimitive.int

    private fun JsonObject.text(key: String) = getValue(key).jsonPrimitive.content

    private fun JsonObject.index(key: String, vararg names: String) = names.indexOf(text(key)).also { require(it >= 0) }

    @Test
    fun decode() {
        val vectors = Vectors.document("decode.json")
        val options = directBuffer(OPTIONS_BYTES)
        Native.decoderDefaults(options)
        val given = vectors.getValue("options").jsonObject
        options.putInt(4, given.whole("num_classes"))
        listOf("confidence", "iou", "cross_class_iou").forEachIndexed { i, key ->
            options.putFloat(8 + 4 * i, given.getValue(key).jsonPrimitive.float)
        }
        val map = vectors.getValue("letterbox").jsonObject
        val letterbox = directBuffer(24)
        listOf("gain_x", "gain_y").forEachIndexed { i, key -> letterbox.putFloat(4 * i, map.getValue(key).jsonPrimitive.float) }
        listOf("pad_x", "pad_y", "source_width", "source_height").forEachIndexed { i, key -> letterbox.putInt(8 + 4 * i, map.whole(key)) }
        for (case in Vectors.cases("decode.json")) decode(case, options, letterbox)
    }

    private fun decode(case: JsonObject, options: ByteBuffer, letterbox: ByteBuffer) {
        val head = case.getValue("head").jsonObject
        val anchors = head.getValue("anchors").jsonArray.flatMap { Vectors.floats(it) }
        val dtype = dtypes.indexOf(head.text("dtype"))
        val heads = directBuffer(40 + 4 * anchors.size)
        heads.putInt(0).putInt(dtype).putInt(head.index("layout", "NHWC", "NCHW")).putInt(head.whole("width"))
        heads.putInt(head.whole("height")).putInt(head.whole("stride")).putFloat(head.getValue("scale").jsonPrimitive.float)
        heads.putInt(head.whole("zero_point")).putInt(head.optional("reg_max")?.int ?: 0).putInt(anchors.size / 2)
        anchors.forEach(heads::putFloat)
        val values = case.getValue("values").jsonArray.map { it.jsonPrimitive.double }
        val raw = directBuffer(values.size * listOf(1, 1, 4, 2)[dtype])
        for (value in values) {
            when (dtype) {
                2 -> raw.putFloat(value.toFloat())
                3 -> raw.putShort(half(value.toFloat()))
                else -> raw.put(value.toInt().toByte())
            }
        }
        val out = FrameBuffer(300, 0, 0)
        assertEquals(Status.OK, Native.decode(heads, 1, arrayOf(raw), letterbox, options, out.bytes))
        val expected = Vectors.detections(case.getValue("detections"))
        val found = out.detections()
        assertEquals(expected.map { it.classId }, found.map { it.classId })
        assertTrue(expected.size > 3)
        for ((one, other) in expected.zip(found)) {
            val sides = listOf(one.x1 - other.x1, one.y1 - other.y1, one.x2 - other.x2, one.y2 - other.y2)
            assertTrue("$one, $other", sides.all { abs(it) < 0.01f } && abs(one.confidence - other.confidence) < 1e-4f)
        }
    }

    /** A value that float16 holds exactly, as its bits. */
    private fun half(value: Float): Short {
        val bits = value.toRawBits()
        val sign = bits ushr 16 and 0x8000
        val magnitude = abs(value)
        if (magnitude < 6.103515625e-5f) return (sign or (magnitude * (1 shl 24)).toInt()).toShort()
        return (sign or ((bits and 0x7fffffff) - (112 shl 23) ushr 13)).toShort()
    }

    @Test
    fun preprocess() = Vectors.cases("preprocess.json").forEach(::preprocess)

    private fun preprocess(case: JsonObject) {
        val name = case.text("name")
        val image = case.getValue("image").jsonObject
        val buffers = case.getValue("buffers").jsonArray.map { one ->
            val bytes = Base64.getDecoder().decode(one.jsonPrimitive.content)
            directBuffer(bytes.size).apply { put(bytes) }
        }
        val fields = directBuffer(52)
        fields.putInt(0, image.index("format", "BGR", "RGB", "BGRA", "RGBA", "NV12", "NV21", "I420"))
        listOf("width", "height", "rotation").forEachIndexed { i, key -> fields.putInt(4 + 4 * i, image.whole(key)) }
        image.getValue("strides").jsonArray.forEachIndexed { i, one -> fields.putInt(16 + 4 * i, one.jsonPrimitive.int) }
        val planes = image.getValue("planes").jsonArray.map { it.jsonArray.map { n -> n.jsonPrimitive.int } }
        planes.forEachIndexed { i, (_, offset) -> fields.putInt(28 + 4 * i, offset) }
        fields.putInt(40, image.whole("chroma_step")).putInt(44, image.index("range", "video", "full"))
        fields.putInt(48, image.index("matrix", "BT.601", "BT.709"))
        val tensor = case.getValue("tensor").jsonObject
        val shape = Shape(tensor)
        val pixels = directBuffer(shape.bytes)
        repeat(shape.bytes) { pixels.put(it, 77) }
        val out = directBuffer(512)
        val plane = { i: Int -> planes.getOrNull(i)?.let { buffers[it[0]] } }
        val status = Native.preprocess(fields, plane(0), plane(1), plane(2), shape.fields, pixels, out)
        if (case.getValue("expected") is JsonNull) {
            assertEquals(name, Status.INVALID_ARGUMENT, status)
            return
        }
        assertEquals("$name: ${out.getFloat(0)}", Status.OK, status)
        val map = case.getValue("letterbox").jsonObject
        for ((i, key) in listOf("gain_x", "gain_y").withIndex()) {
            assertEquals(name, 1.0, out.getFloat(4 * i) / map.getValue(key).jsonPrimitive.double, 1e-6)
        }
        listOf("pad_x", "pad_y", "source_width", "source_height").forEachIndexed { i, key ->
            assertEquals("$name $key", map.whole(key), out.getInt(8 + 4 * i))
        }
        val expected = Base64.getDecoder().decode(case.text("expected"))
        shape.check(name, pixels, expected, case.getValue("within").jsonPrimitive.double)
    }

    /** An input of a vector: rows of `row` elements of `size` bytes, `step` bytes apart. */
    private inner class Shape(tensor: JsonObject) {
        private val dtype = tensor.index("dtype", "uint8", "int8", "float32")
        private val isPlanar = tensor.index("layout", "NHWC", "NCHW") == 1
        private val channels = tensor.index("channels", "RGB", "BGRA")
        private val size = if (dtype == 2) 4 else 1
        private val row = tensor.whole("width") * if (isPlanar) 1 else 3 + channels
        private val rows = tensor.whole("height") * if (isPlanar) 3 else 1
        private val step = tensor.whole("row_bytes").let { if (it == 0) row * size else it }
        val bytes = maxOf(step * rows, 1)
        val fields: ByteBuffer = directBuffer(24).putInt(0, dtype).putInt(4, if (isPlanar) 1 else 0)
            .putInt(8, tensor.whole("width")).putInt(12, tensor.whole("height"))
            .putInt(16, tensor.whole("row_bytes")).putInt(20, channels)

        fun check(name: String, pixels: ByteBuffer, expected: ByteArray, within: Double) {
            assertEquals(name, row * rows, expected.size)
            for (y in 0 until rows) {
                for (x in 0 until row) {
                    val at = y * step + x * size
                    val value = when (dtype) {
                        0 -> (pixels.get(at).toInt() and 0xff).toDouble()
                        1 -> pixels.get(at) + 128.0
                        else -> pixels.getFloat(at) * 255.0
                    }
                    val wanted = (expected[y * row + x].toInt() and 0xff).toDouble()
                    assertTrue("$name: $value, not $wanted, at $x,$y", abs(value - wanted) <= within + 1e-3)
                }
                for (at in y * step + row * size until (y + 1) * step) assertEquals(name, 77, pixels.get(at).toInt())
            }
        }
    }

    @Test
    fun governor() = Vectors.cases("governor.json").forEach(::governor)

    private fun governor(case: JsonObject) {
        val name = case.text("name")
        val options = case.getValue("options").jsonObject
        val out = directBuffer(512)
        val double = { key: String -> options.getValue(key).jsonPrimitive.double }
        assertEquals(Status.OK, Native.governorCreate(options.whole("num_sizes"), double("budget_ms"), double("max_fps"), out))
        val governor = out.getLong(0)
        val inputs = case.getValue("inputs").jsonArray.associate { it.jsonArray[0].jsonPrimitive.int to it.jsonArray[1].jsonObject }
        val changes = ArrayList<List<Any>>()
        case.getValue("frames").jsonArray.forEachIndexed { i, frame ->
            inputs[i]?.optional("thermal")?.let { Native.governorSetThermal(governor, it.int) }
            inputs[i]?.optional("headroom")?.let { Native.governorSetHeadroom(governor, it.double) }
            val timestamp = frame.jsonArray[0].jsonPrimitive.long
            val outcome = frame.jsonArray[1].jsonPrimitive
            val reason = Native.governorWants(governor, timestamp)
            if (outcome.isString) {
                assertEquals(name, outcome.content, Native.reasonName(reason))
            } else {
                assertEquals("$name: frame $i", 0, reason)
                assertEquals(Status.OK, Native.governorLearn(governor, timestamp, outcome.double))
            }
            changes.addAll(taken(governor))
        }
        changes.addAll(taken(governor))
        val expected = case.getValue("expected").jsonObject
        assertEquals(name, expected.getValue("changes").jsonArray.map { change ->
            val row = change.jsonArray.map { it.jsonPrimitive }
            listOf(row[0].long, row[1].content, row[2].int, row[3].int, row[4].int, row[5].double)
        }, changes)
        val state = directBuffer(OPTIONS_BYTES)
        Native.governorState(governor, state)
        val level = { key: String -> expected.getValue(key).jsonArray.map { it.jsonPrimitive.int } }
        assertEquals(name, level("level"), listOf(state.getInt(8), state.getInt(12)))
        assertEquals(name, level("lowest"), listOf(state.getInt(16), state.getInt(20)))
        assertEquals(name, expected.whole("paused"), state.getInt(4))
        Native.governorDestroy(governor)
    }

    private fun taken(governor: Long): List<List<Any>> {
        val out = directBuffer(16 * 32)
        return List(Native.governorTakeChanges(governor, 16, out)) { i ->
            val at = 32 * i
            listOf(
                out.getLong(at), Native.reasonName(out.getInt(at + 16)).orEmpty(), out.getInt(at + 20), out.getInt(at + 24),
                out.getInt(at + 28), out.getDouble(at + 8),
            )
        }
    }
}
