package io.tallylens

import io.tallylens.cloud.Transport
import io.tallylens.cloud.checkedUrl

/** When to ask the server. */
public enum class OffloadMode {
    NEVER,

    /** Weigh what the bigger model would add against time, link and credits. */
    AUTO,
    ALWAYS,
}

/** Encodes the image that is sent to a server. */
public fun interface FrameEncoder {
    /**
     * A JPEG file of `rgb`: 3 bytes per pixel, red first, rows from top to bottom without bytes between. Called on
     * the thread that counts, one image after the other; `rgb` is written over afterwards.
     */
    public fun encode(rgb: ByteArray, width: Int, height: Int): ByteArray
}

/**
 * Where a server with a bigger model is, and when to ask it. The device counts alone whenever no answer would come in
 * time, so that no frame waits longer than the deadline.
 *
 * @property url `wss://HOST:PORT`; `ws://` to this machine only.
 * @property deadlineSeconds maximum time from the start of a frame to its detections.
 * @property share maximum share of the frames that [OffloadMode.AUTO] sends, 0 to 1.
 * @property encoder null sends the pixels as they are, which needs a fast network.
 * @throws CloudException the address cannot be used.
 * @throws UsageException deadline or share is out of its bounds.
 */
public class OffloadOptions @JvmOverloads constructor(
    public val url: String,
    internal val key: String,
    internal val transport: Transport,
    public val mode: OffloadMode = OffloadMode.AUTO,
    internal val encoder: FrameEncoder? = null,
    public val deadlineSeconds: Double = 0.5,
    public val share: Double = 0.8,
) {
    init {
        checkedUrl(url)
        if (!(deadlineSeconds > 0 && deadlineSeconds <= MAX_DEADLINE_S)) {
            throw UsageException("the deadline is $deadlineSeconds s", "Use seconds above 0, up to 60")
        }
        if (!(share in 0.0..1.0)) throw UsageException("the share is $share", "Use 0 to 1")
    }

    private companion object {
        const val MAX_DEADLINE_S = 60.0
    }
}

/** A decision about frames, and for how many it was taken. */
public data class OffloadDecision(val action: String, val reason: String, val frames: Long)

/**
 * What was asked of a server, and why.
 *
 * @property frames by action: `local`, `cloud`.
 * @property missedDeadlines frames that took longer than the deadline.
 * @property late answers that came after their frame was counted.
 * @property corrected detections whose class a late answer corrected.
 */
public data class OffloadReport(
    val mode: String,
    val frames: Map<String, Long>,
    val decisions: List<OffloadDecision>,
    val deadlineMs: Long,
    val missedDeadlines: Long,
    val longestFrameMs: Double,
    val sentBytes: Long,
    val late: Long,
    val corrected: Long,
    val connections: Long,
    val rttMs: Double,
    val bytesPerSecond: Long,
)
