package io.tallylens.internal

import io.tallylens.CloudException
import io.tallylens.Detection
import io.tallylens.Frame
import io.tallylens.OffloadDecision
import io.tallylens.OffloadMode
import io.tallylens.OffloadOptions
import io.tallylens.OffloadReport
import io.tallylens.cloud.CloudDetector
import io.tallylens.cloud.CloudListener
import java.io.Closeable
import java.nio.ByteBuffer
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException

/**
 * Detects with the device's own model or with a server's, as the core decides; never after the deadline.
 *
 * One thread detects; answers come from the connection's thread.
 *
 * @param classNames of the device's model.
 * @param isLive frames come at their own pace, so that the first does not wait for a connection.
 */
internal class Offloader(
    private val options: OffloadOptions, private val classNames: List<String>, private val isLive: Boolean,
) : CloudListener, Closeable {
    /** A frame that was sent: how many source pixels one of its pixels is, and its answer. */
    private class Asked(val scaleX: Float, val scaleY: Float) {
        val answer = CompletableFuture<List<Detection>?>()
    }

    private val policy = OffloadPolicy(options.mode, options.share)
    private val images = SentImages(options.encoder)
    private val asked = object : LinkedHashMap<Long, Asked>() {
        override fun removeEldestEntry(eldest: Map.Entry<Long, Asked>) = size > MAX_ASKED
    }
    private val decisions = LinkedHashMap<Decision, Long>()
    private var last: Pair<FrameView, List<Detection>>? = null
    private var lastCaptureUs = 0L
    private var expectedBytes = 0
    private var missed = 0L
    private var longestS = 0.0
    private var corrected = 0L

    @Volatile
    private var late = 0L

    /** Why the server refuses this device, null unless it does. */
    @Volatile
    var refusal: String? = null
        private set

    // The last of all: its thread calls this object.
    private val cloud = CloudDetector(options.url, options.key, options.transport, this)

    /**
     * The detections of a frame.
     *
     * @param local detects with the device's model, into `buffer`.
     */
    fun detect(frame: Frame, image: ImageFields, planes: Array<ByteBuffer?>, buffer: FrameBuffer, local: () -> Unit): List<Detection> {
        if (!isLive && decisions.isEmpty()) awaitConnection()
        val started = now()
        buffer.clearTimes()
        val view = FrameView.of(image, planes)
        val same = last?.let { (seen, found) -> policy.skip(seen.difference(view))?.to(found) }
        val (decision, found) = same ?: decided(frame, image, planes, buffer, started, local)
        log(decision, now() - started)
        if (same == null) last = view to found
        return found
    }

    /** The detections of a frame that has changed, from whichever model was chosen. */
    private fun decided(
        frame: Frame, image: ImageFields, planes: Array<ByteBuffer?>, buffer: FrameBuffer, started: Double, local: () -> Unit,
    ): Pair<Decision, List<Detection>> {
        // AUTO decides by what the device's model found; the first frame measures how long that takes.
        val isLocal = options.mode != OffloadMode.ALWAYS || policy.localS() == null
        if (isLocal) measured(local)
        val input = cloud.serverInput
        var decision = policy.decide(facts(buffer, isLocal, input != null, started))
        var found: List<Detection>? = null
        if (decision.action == "cloud" && input != null) {
            found = remote(frame, images.image(image, planes, frame.uprightWidth, frame.uprightHeight, input), started, isLocal)
            if (found == null) decision = OffloadPolicy.noAnswer()
        }
        if (found == null) {
            if (!isLocal) measured(local)
            corrected += policy.correct(buffer, buffer.numDetections, now())
            found = buffer.detections()
        }
        return decision to found
    }

    private fun awaitConnection() {
        val until = now() + CONNECT_S
        while (!cloud.isConnected && refusal == null && now() < until) Thread.sleep(10)
    }

    private fun measured(local: () -> Unit) {
        val started = now()
        local()
        policy.computed(now() - started)
    }

    private fun facts(buffer: FrameBuffer, isLocal: Boolean, isReady: Boolean, started: Double): OffloadFacts {
        val now = now()
        val link = cloud.link.state(now)
        return OffloadFacts(
            connected = isReady && cloud.isConnected,
            allowed = now >= cloud.quotaUntil,
            measuring = !link.isMeasured && link.unanswered > 0,
            creditsLeft = cloud.creditsLeft,
            reward = if (isLocal) policy.reward(buffer, buffer.numDetections) else 0.0,
            link = link,
            expectedS = if (link.isMeasured) cloud.link.expectedS(expectedBytes, now) else 0.0,
            deadlineS = options.deadlineSeconds - (now - started),
            localS = if (isLocal) 0.0 else policy.localS() ?: 0.0,
        )
    }

    /** The server's detections, null without an answer in time. */
    private fun remote(frame: Frame, image: SentImage, started: Double, isLocal: Boolean): List<Detection>? {
        expectedBytes = image.bytes.size
        val reserve = if (isLocal) 0.0 else policy.localS() ?: 0.0
        val left = started + options.deadlineSeconds - reserve - SPARE_S - now()
        if (left <= 0) return null
        // An answer after the deadline measures the link, too.
        val patience = if (cloud.link.state(now()).isMeasured) left else maxOf(left, PROBE_S)
        val captureUs = maxOf(lastCaptureUs + 1, System.nanoTime() / 1000).also { lastCaptureUs = it }
        val one = Asked(frame.uprightWidth.toFloat() / image.width, frame.uprightHeight.toFloat() / image.height)
        synchronized(asked) { asked[captureUs] = one }
        if (!cloud.ask(image.bytes, image.width, image.height, image.codec, captureUs, patience)) {
            synchronized(asked) { asked.remove(captureUs) }
            return null
        }
        return try {
            one.answer.get((left * 1e9).toLong(), TimeUnit.NANOSECONDS)
        } catch (timeout: TimeoutException) {
            // Unless the answer has come right now; one that comes from here on is late.
            if (one.answer.complete(null)) null else one.answer.get()
        }
    }

    override fun onDetections(captureUs: Long, detections: List<Detection>) {
        val one = synchronized(asked) { asked.remove(captureUs) } ?: return
        val here = mapped(one, detections)
        if (!one.answer.complete(here)) note(here)
    }

    override fun onNoAnswer(captureUs: Long, reason: String) {
        synchronized(asked) { if (reason == "expired") asked[captureUs] else asked.remove(captureUs) }?.answer?.complete(null)
    }

    override fun onLateDetections(captureUs: Long, detections: List<Detection>) {
        val one = synchronized(asked) { asked.remove(captureUs) } ?: return
        note(mapped(one, detections))
    }

    override fun onRefused(error: CloudException) {
        refusal = error.message
    }

    private fun note(detections: List<Detection>) {
        late++
        val buffer = FrameBuffer(detections.size, 0, 0).apply { put(detections) }
        policy.note(buffer.detectionBytes, detections.size, now())
    }

    /** In pixels of the frame and class ids of this device; classes that it does not know are left out. */
    private fun mapped(one: Asked, detections: List<Detection>): List<Detection> {
        val names = cloud.classNames
        return detections.mapNotNull {
            val id = names.getOrNull(it.classId)?.let(classNames::indexOf) ?: -1
            if (id < 0 || it.x1 > it.x2 || it.y1 > it.y2) return@mapNotNull null
            val (x, y) = one.scaleX to one.scaleY
            Detection(it.x1 * x, it.y1 * y, it.x2 * x, it.y2 * y, it.confidence, id)
        }
    }

    private fun log(decision: Decision, seconds: Double) {
        decisions[decision] = (decisions[decision] ?: 0L) + 1
        longestS = maxOf(longestS, seconds)
        if (seconds > options.deadlineSeconds) missed++
    }

    fun report(): OffloadReport {
        val link = cloud.link.state(now())
        val frames = linkedMapOf("local" to 0L, "cloud" to 0L, "skip" to 0L)
        for ((decision, count) in decisions) frames[decision.action] = frames.getValue(decision.action) + count
        return OffloadReport(
            options.mode.name.lowercase(), frames,
            decisions.entries.sortedByDescending { it.value }.map { OffloadDecision(it.key.action, it.key.reason, it.value) },
            Math.round(options.deadlineSeconds * 1000), missed, longestS * 1000, cloud.sentBytes, late, corrected,
            cloud.connections, link.rttP95 * 1000, Math.round(link.bandwidth),
        )
    }

    override fun close() {
        cloud.close()
        policy.close()
    }

    private fun now(): Double = System.nanoTime() / 1e9

    private companion object {
        /** For threads to wake up in. */
        const val SPARE_S = 0.02

        /** How long the first frame of a video waits for the connection. */
        const val CONNECT_S = 5.0

        /** How long the frame that measures the link is of use. */
        const val PROBE_S = 2.0

        /** Frames whose answers may still come. */
        const val MAX_ASKED = 128
    }
}
