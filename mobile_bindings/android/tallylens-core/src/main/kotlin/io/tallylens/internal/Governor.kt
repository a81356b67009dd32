package io.tallylens.internal

import io.tallylens.Level
import java.io.Closeable

/**
 * Which frames are processed, by rate, latency and heat: `tally_governor`, which decides in the core.
 *
 * Safe to use from several threads: heat is told by the system, latency by the worker.
 */
internal class Governor(private val maxFps: Double, private val budgetMs: Double) : Closeable {
    /** The level in force; changed by each decision of the core. */
    @Volatile
    var level: Level = Level()
        private set

    private val scratch = directBuffer(CHANGES * CHANGE_BYTES)
    private var sizes = 1
    private var handle = create()
    private var thermal: Int? = null
    private var headroom: Double? = null

    private fun create(): NativeHandle {
        val out = directBuffer(512)
        check(Native.governorCreate(sizes, budgetMs, maxFps, out)) { out.errorText() }
        return NativeHandle("counter", out.getLong(0), Native::governorDestroy)
    }

    /** The model can have `count` input sizes; before the first frame. What was told of heat holds. */
    @Synchronized
    fun useSizes(count: Int) {
        if (count == sizes) return
        sizes = count
        handle.close()
        handle = create()
        level = Level()
        thermal?.let(::setThermal)
        headroom?.let { given -> decide { Native.governorSetHeadroom(it, given) } }
    }

    /** Whether to process the frame of this capture time; once per frame, in order. */
    @Synchronized
    fun wants(timestampNanos: Long): Boolean = handle.use { address ->
        val reason = Native.governorWants(address, timestampNanos)
        if (reason < 0) raise(-reason, "")
        takeChanges(address)
        reason == 0
    }

    /** Take the latency of a frame that was processed. */
    @Synchronized
    fun learn(timestampNanos: Long, latencyNanos: Long) =
        decide { Native.governorLearn(it, timestampNanos, latencyNanos / 1e6) }

    /** Take the device's thermal state. */
    @Synchronized
    fun setThermal(status: Int) {
        decide { Native.governorSetThermal(it, status) }
        thermal = status
    }

    /** Take a forecast of the device's heat. */
    @Synchronized
    fun setHeadroom(headroom: Float) {
        decide { Native.governorSetHeadroom(it, headroom.toDouble()) }
        this.headroom = headroom.toDouble()
    }

    private inline fun decide(call: (Long) -> Int) = handle.use { address ->
        check(call(address), "")
        takeChanges(address)
    }

    private fun takeChanges(address: Long) {
        val count = Native.governorTakeChanges(address, CHANGES, scratch)
        if (count <= 0) return
        val at = (count - 1) * CHANGE_BYTES
        level = Level(
            rate = scratch.getInt(at + 24),
            size = scratch.getInt(at + 28),
            paused = scratch.getInt(at + 20) != 0,
            reason = Native.reasonText(scratch.getInt(at + 16)).orEmpty(),
        )
    }

    @Synchronized
    override fun close() = handle.close()

    private companion object {
        const val CHANGES = 16
        const val CHANGE_BYTES = 32
    }
}
