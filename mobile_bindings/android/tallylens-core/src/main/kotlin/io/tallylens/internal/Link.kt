package io.tallylens.internal

import java.io.Closeable

/** A link at one moment: `tally_link_state`; times in seconds. */
internal class LinkState(
    val isMeasured: Boolean, val rttP95: Double, val bandwidth: Double, val unanswered: Long, val silentS: Double,
    val silenceLimitS: Double, val debtS: Double,
)

/** Estimate of one connection: `tally_link`. Safe to use from several threads; times are of any one clock. */
internal class Link : Closeable {
    private val out = directBuffer(512)
    private val handle: NativeHandle

    init {
        check(Native.linkCreate(out)) { out.errorText() }
        handle = NativeHandle("link", out.getLong(0), Native::linkDestroy)
    }

    /** The round trip of hello and welcome. */
    fun welcomed(seconds: Double) = handle.use { check(Native.linkWelcomed(it, seconds), "") }

    fun sent(sequence: Long, bytes: Int, now: Double) =
        handle.use { check(Native.linkSent(it, sequence, bytes.toLong(), now), "") }

    /** An answer, whose frame the server kept for `serverS`. */
    fun answered(sequence: Long, serverS: Double, now: Double) =
        handle.use { check(Native.linkAnswered(it, sequence, serverS, now), "") }

    fun lost() = handle.use { check(Native.linkLost(it), "") }

    /** Expected time of `bytes` to their answer, 95th percentile; 0 while the bandwidth is not known. */
    fun expectedS(bytes: Int, now: Double): Double = handle.use {
        check(Native.linkExpected(it, bytes.toLong(), now, out), "")
        out.getDouble(0)
    }

    fun state(now: Double): LinkState = handle.use {
        check(Native.linkState(it, now, out), "")
        LinkState(
            out.getInt(4) != 0, out.getDouble(16), out.getDouble(56), out.getLong(80), out.getDouble(88), out.getDouble(96),
            out.getDouble(120),
        )
    }

    override fun close() = handle.close()
}
