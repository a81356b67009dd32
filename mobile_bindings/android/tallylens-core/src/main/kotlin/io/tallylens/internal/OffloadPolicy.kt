package io.tallylens.internal

import io.tallylens.OffloadMode
import java.io.Closeable
import java.nio.ByteBuffer

/** Facts about a frame and the link: `tally_offload_facts`; times in seconds. */
internal class OffloadFacts(
    val connected: Boolean, val allowed: Boolean, val measuring: Boolean, val creditsLeft: Int, val reward: Double,
    val link: LinkState, val expectedS: Double, val deadlineS: Double, val localS: Double,
)

/** What was decided, in the words of reports. */
internal data class Decision(val action: String, val reason: String)

/** Where a frame goes: `tally_offload`, which decides in the core, and late answers. Not thread-safe. */
internal class OffloadPolicy(mode: OffloadMode, share: Double) : Closeable {
    private val out = directBuffer(512)
    private val facts = directBuffer(FACTS_BYTES)
    private val offload: NativeHandle
    private val late: NativeHandle

    init {
        check(Native.offloadCreate(mode.ordinal, share, out)) { out.errorText() }
        offload = NativeHandle("counter", out.getLong(0), Native::offloadDestroy)
        check(Native.lateCreate(out)) { out.errorText() }
        late = NativeHandle("counter", out.getLong(0), Native::lateDestroy)
    }

    /** The benefit to expect from a bigger model, by the first `count` detections of a frame's buffer. */
    fun reward(buffer: FrameBuffer, count: Int): Double {
        check(Native.offloadReward(buffer.detectionBytes, count, out), "")
        return out.getDouble(REWARD_AT)
    }

    /** The decision to use no model where the view differs by at most the sensor's noise, else null. */
    fun skip(difference: Double): Decision? = offload.use {
        check(Native.offloadSkip(it, difference, out), "")
        decision().takeIf { one -> one.action == "skip" }
    }

    private fun decision() = Decision(ACTIONS[out.getInt(0)], Native.reasonText(out.getInt(4)).orEmpty())

    fun decide(given: OffloadFacts): Decision = offload.use {
        facts.putInt(4, flag(given.connected)).putInt(8, flag(given.allowed))
        // There is one encoding, so that none with fewer bytes may be tried.
        facts.putInt(12, 1).putInt(16, flag(given.measuring)).putInt(20, 0)
        facts.putLong(24, given.creditsLeft.toLong()).putDouble(32, given.reward)
        facts.putDouble(40, given.link.debtS).putDouble(48, given.link.silentS).putDouble(56, given.link.silenceLimitS)
        facts.putDouble(64, given.expectedS).putDouble(72, given.deadlineS).putDouble(80, given.localS)
        facts.putDouble(88, Double.POSITIVE_INFINITY)
        check(Native.offloadDecide(it, facts, out), "")
        decision()
    }

    /** Take how long the local model took. */
    fun computed(seconds: Double) = offload.use { check(Native.offloadComputed(it, seconds), "") }

    /** 95th percentile of the local model's seconds, null before the first frame. */
    fun localS(): Double? = offload.use {
        check(Native.offloadLocal(it, out), "")
        if (out.getLong(16) == 0L) null else out.getDouble(8)
    }

    /** Keep an answer that came after its frame was counted: its classes are still right. */
    fun note(detections: ByteBuffer, count: Int, now: Double) =
        late.use { check(Native.lateNote(it, detections, count, now), "") }

    /** Correct classes of the first `count` detections of a frame's buffer, in place; how many. */
    fun correct(buffer: FrameBuffer, count: Int, now: Double): Int = late.use {
        val changed = Native.lateApply(it, buffer.detectionBytes, count, now)
        if (changed < 0) raise(-changed, "")
        changed
    }

    override fun close() {
        offload.close()
        late.close()
    }

    private fun flag(value: Boolean) = if (value) 1 else 0

    companion object {
        private const val FACTS_BYTES = 96
        private const val REWARD_AT = 40
        private const val REASON_NO_ANSWER = 35
        private val ACTIONS = listOf("local", "cloud", "skip")

        /** The decision for a frame that was sent, when no answer came in time. */
        fun noAnswer() = Decision("local", Native.reasonText(REASON_NO_ANSWER).orEmpty())
    }
}
