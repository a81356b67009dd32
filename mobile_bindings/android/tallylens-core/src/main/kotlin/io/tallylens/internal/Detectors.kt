package io.tallylens.internal

import io.tallylens.Accelerator
import io.tallylens.CounterOptions
import io.tallylens.EngineException
import io.tallylens.Model
import java.io.Closeable

/**
 * The detectors of a model, one for each input size; opened when they are first needed. Not thread-safe.
 *
 * The model's own size is open from the start, so that a model that cannot be used is refused at once.
 */
internal class Detectors(private val model: Model, private val options: CounterOptions) : Closeable {
    private val metadata = model.metadata
    private val own = InputSize(metadata.inputHeight, metadata.inputWidth)
    private val open = LinkedHashMap<InputSize, Detector>()

    // LiteRT's GPU and NPU delegates compile a model for the size that it has.
    private val canResize = options.accelerator == Accelerator.CPU

    /** Input sizes for the frames to come, largest first. */
    var sizes: List<InputSize> = listOf(own)
        private set

    init {
        open[own] = Detector(model, model.bytes, own, options)
    }

    /** What runs the model, for reports. */
    val engineName: String = open.getValue(own).engineName

    /** Sentences for reports, such as that not all of the model runs on the processor that was asked for. */
    var warnings: List<String> = listOfNotNull(open.getValue(own).warning)
        private set

    /**
     * Choose the sizes for upright frames of this size.
     *
     * @param smaller whether the governor may ask for smaller inputs.
     */
    fun fit(frameWidth: Int, frameHeight: Int, smaller: Boolean) {
        if (!canResize) return
        val fitting = metadata.fittingInput(frameWidth, frameHeight)
        val largest = if (fitting == own || resized(fitting) != null) fitting else own
        val others = if (smaller) metadata.smallerInputs(largest).filter { it == own || resized(it) != null } else emptyList()
        sizes = listOf(largest) + others
        try {
            detector(0)
        } catch (refused: EngineException) {
            warnings = warnings + "the input stays ${own.width}x${own.height}, because LiteRT does not resize it"
            sizes = listOf(own)
        }
        if (own !in sizes) open.remove(own)?.close()
    }

    /** The detector of size number `index`, 0 the largest. */
    fun detector(index: Int): Detector {
        val size = sizes[index.coerceIn(sizes.indices)]
        return open.getOrPut(size) {
            Detector(model, checkNotNull(resized(size)) { "the model has no input of $size" }, size, options)
        }
    }

    private fun resized(size: InputSize) = ModelFile.resized(model.bytes, metadata, size.width, size.height)

    override fun close() {
        for (detector in open.values) detector.close()
        open.clear()
    }
}
