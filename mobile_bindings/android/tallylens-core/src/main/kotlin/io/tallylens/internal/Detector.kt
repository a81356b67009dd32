package io.tallylens.internal

import io.tallylens.CounterOptions
import io.tallylens.EngineException
import io.tallylens.Model
import io.tallylens.ModelException
import io.tallylens.UsageException
import java.io.Closeable
import java.nio.ByteBuffer
import kotlin.math.abs

private const val CONVERT_AGAIN = "Convert the original checkpoint again with tallylens convert"

/**
 * A model's engine with letterbox before it and decoding after it. Not thread-safe.
 *
 * @param bytes the model, or a copy of it for an input of `size`.
 */
internal class Detector(
    model: Model, bytes: ByteBuffer, val size: InputSize, options: CounterOptions,
) : Closeable {
    /** What runs the model, for reports. */
    val engineName: String

    /** A sentence if not all of the model runs on the processor that was asked for. */
    val warning: String?

    // The engine reads the model's memory for as long as it is open.
    private val modelBytes: ByteBuffer = bytes
    private val engine: NativeHandle
    private val detector: NativeHandle
    private val maxDetections: Int

    init {
        engine = open(modelBytes, size, options)
        try {
            engineName = engine.use(Native::engineName)
            warning = engine.use(Native::engineWarning)
            val decoding = decoding(model.metadata.classNames.size, options)
            maxDetections = decoding.getInt(MAX_DETECTIONS_AT)
            detector = engine.use { create(it, heads(it, model.metadata, size), model.metadata.headNames.size, decoding) }
        } catch (failure: Exception) {
            engine.close()
            throw failure
        }
    }

    /** A buffer for the result of one frame. */
    fun newBuffer(): FrameBuffer = FrameBuffer(maxDetections, maxDetections, MAX_EVENTS)

    /** Detect the objects of one frame. */
    fun detect(image: ImageFields, planes: Array<ByteBuffer?>, buffer: FrameBuffer) = engine.use {
        detector.use { address ->
            val status = Native.detectFrame(address, image.bytes, planes[0], planes[1], planes[2], buffer.bytes)
            check(status) { Native.detectorError(address).orEmpty() }
        }
    }

    /** Detect the objects of one frame and count them, in one call. */
    fun count(
        image: ImageFields, planes: Array<ByteBuffer?>, counter: TrackCounter, timestampNanos: Long, buffer: FrameBuffer,
    ) = engine.use {
        detector.use { address ->
            counter.withAddress { counted ->
                val status = Native.countFrame(
                    address, counted, image.bytes, planes[0], planes[1], planes[2], timestampNanos, buffer.bytes,
                )
                if (status == Status.OUT_OF_ORDER) counter.checkUpdate(counted, timestampNanos, status)
                if (status == Status.ENGINE_FAILED) {
                    throw EngineException(Native.detectorError(address).orEmpty(), "Report it with the model")
                }
                check(status) { Native.detectorError(address).orEmpty() }
            }
        }
    }

    override fun close() {
        detector.close()
        engine.close()
    }

    private companion object {
        const val MAX_EVENTS = 256
        const val MAX_DETECTIONS_AT = 28
        const val PIXEL_SCALE = 1f / 255
        const val PIXEL_SCALE_TOLERANCE = 0.02f * PIXEL_SCALE
        const val HEAD_BYTES = 40
        const val UINT8 = 0
        const val INT8 = 1
        const val FLOAT32 = 2

        fun open(model: ByteBuffer, size: InputSize, options: CounterOptions): NativeHandle {
            val given = directBuffer(16).putInt(0, options.accelerator.ordinal).putInt(4, options.threads)
            given.putInt(8, size.width).putInt(12, size.height)
            val out = directBuffer(1024)
            val status = Native.engineOpen(model, model.capacity().toLong(), given, options.liteRtLibrary, out)
            if (status == Status.OK) return NativeHandle("model", out.getLong(0), Native::engineDestroy)
            val (problem, remedy) = split(out.errorText())
            throw when (status) {
                Status.ENGINE_BAD_MODEL -> ModelException(problem, remedy ?: CONVERT_AGAIN)
                Status.INVALID_ARGUMENT -> UsageException(problem, remedy ?: "Change the option")
                else -> EngineException(problem, remedy ?: "Update LiteRT or tallylens")
            }
        }

        /** The engine's sentence "problem; remedy" in its two parts. */
        private fun split(text: String): Pair<String, String?> {
            val at = text.lastIndexOf("; ")
            if (at < 0) return text to null
            return text.substring(0, at) to text.substring(at + 2).replaceFirstChar { it.uppercase() }
        }

        fun decoding(classes: Int, options: CounterOptions): ByteBuffer {
            val decoding = directBuffer(OPTIONS_BYTES)
            check(Native.decoderDefaults(decoding), "")
            decoding.putInt(4, classes)
            options.iou?.let { decoding.putFloat(12, it) }
            return decoding
        }

        fun create(engine: Long, heads: ByteBuffer, count: Int, decoding: ByteBuffer): NativeHandle {
            val out = directBuffer(512)
            check(Native.detectorCreate(engine, heads, count, decoding, out)) { out.errorText() }
            return NativeHandle("counter", out.getLong(0), Native::detectorDestroy)
        }

        /** Checks input and outputs against the metadata and describes each head for the native library. */
        fun heads(engine: Long, metadata: Metadata, size: InputSize): ByteBuffer {
            if (metadata.layout != "NHWC") throw bad("the layout is ${metadata.layout}, where LiteRT has NHWC")
            val out = directBuffer(1024)
            check(Native.engineInput(engine, out), "")
            checkInput(out, size)
            val outputs = List(out.getInt(20)) { output(engine, it, out) }
            if (outputs.size != metadata.headNames.size) {
                throw bad("the number of outputs is ${outputs.size}, by its metadata ${metadata.headNames.size}")
            }
            val order = order(metadata, outputs)
            val buffer = directBuffer(metadata.anchors.sumOf { HEAD_BYTES + 4 * it.size })
            for ((head, index) in order.withIndex()) putHead(buffer, metadata, head, index, outputs[index], size)
            return buffer
        }

        private fun checkInput(out: ByteBuffer, size: InputSize) {
            val dtype = out.getInt(0)
            val width = out.getInt(4)
            val height = out.getInt(8)
            if (width != size.width || height != size.height) {
                throw bad("the input is ${width}x$height, by its metadata ${size.width}x${size.height}")
            }
            val zeroPoint = out.getInt(16)
            val scale = out.getFloat(12)
            val right = when (dtype) {
                UINT8 -> zeroPoint == 0
                INT8 -> zeroPoint == -128
                else -> true
            }
            if (dtype != FLOAT32 && (!right || abs(scale - PIXEL_SCALE) > PIXEL_SCALE_TOLERANCE)) {
                throw bad("the input has scale $scale and zero point $zeroPoint, so that it does not take pixel values as they are")
            }
        }

        private class Output(val name: String, val dtype: Int, val shape: List<Int>, val scale: Float, val zeroPoint: Int)

        private fun output(engine: Long, index: Int, out: ByteBuffer): Output {
            check(Native.engineOutput(engine, index, out), "")
            val name = ByteArray(out.getInt(48)) { out.get(52 + it) }
            val shape = List(out.getInt(4)) { out.getInt(8 + 4 * it) }
            return Output(String(name, Charsets.UTF_8), out.getInt(0), shape, out.getFloat(40), out.getInt(44))
        }

        /** The output of each head: by name, else by grid size, because converters rename outputs. */
        private fun order(metadata: Metadata, outputs: List<Output>): List<Int> {
            val names = outputs.map { it.name }
            if (names.toSet() == metadata.headNames.toSet()) return metadata.headNames.map(names::indexOf)
            val positions = outputs.indices.sortedBy { -outputs[it].shape.drop(1).take(2).fold(1, Int::times) }
            val heads = metadata.strides.indices.sortedBy { metadata.strides[it] }
            val outputOf = heads.zip(positions).toMap()
            return metadata.strides.indices.map(outputOf::getValue)
        }

        private fun putHead(
            buffer: ByteBuffer, metadata: Metadata, head: Int, index: Int, output: Output, size: InputSize,
        ) {
            val expected = metadata.headShape(head, size)
            if (output.shape != expected) {
                throw bad("head ${metadata.headNames[head]} has shape ${output.shape}, by its metadata $expected")
            }
            val anchors = metadata.anchors[head]
            buffer.putInt(index).putInt(output.dtype).putInt(0).putInt(expected[2]).putInt(expected[1])
            buffer.putInt(metadata.strides[head]).putFloat(output.scale).putInt(output.zeroPoint)
            buffer.putInt(metadata.regMax).putInt(anchors.size / 2)
            for (value in anchors) buffer.putFloat(value.toFloat())
        }

        private fun bad(problem: String) = ModelException(problem, CONVERT_AGAIN)
    }
}
