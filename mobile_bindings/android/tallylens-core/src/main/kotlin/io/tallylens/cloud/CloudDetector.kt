package io.tallylens.cloud

import io.tallylens.CloudException
import io.tallylens.Detection
import io.tallylens.internal.InputSize
import io.tallylens.internal.Link
import java.io.Closeable
import java.util.Random
import java.util.concurrent.Executors
import java.util.concurrent.Future
import java.util.concurrent.TimeUnit

/** The answer to a frame. */
public interface CloudListener {
    /** Detections of the frame with capture time `captureUs`, in pixels of the image as it was sent. */
    public fun onDetections(captureUs: Long, detections: List<Detection>)

    /** No detections for this frame: `late`, `busy`, `over_quota`, ... or `expired`. Go on without them. */
    public fun onNoAnswer(captureUs: Long, reason: String)

    /** An answer that came after `onNoAnswer` had said `expired`: its boxes are old, its classes are not. */
    public fun onLateDetections(captureUs: Long, detections: List<Detection>) {}

    /** The server refuses the connection for good. */
    public fun onRefused(error: CloudException)
}

/**
 * Asks a server for the detections of frames over `tallylens.v1`, through lost connections.
 *
 * Each frame gets one answer, or is given up when its time is over; one that was answered is never answered
 * again. Everything happens on a thread of its own, on which the listener is called too.
 *
 * @param url `wss://HOST:PORT`; `ws://` to this machine only.
 * @param key API key or token, which is sent as a header, never as a part of the URL.
 */
public class CloudDetector(
    url: String, private val key: String, private val transport: Transport, private val listener: CloudListener,
) : Closeable {
    private val address = checkedUrl(url)
    private val session = ClientSession()
    private val random = Random()
    private val worker = Executors.newSingleThreadScheduledExecutor { task -> Thread(task, "tallylens-cloud").apply { isDaemon = true } }
    private var connection: Connection? = null
    private var attempt = 0
    private var closed = false
    private val asked = HashMap<Long, PendingFrame>()
    private var helloAt = 0.0

    /** What is known of the connection. */
    internal val link = Link()

    /** Input size of the server's model; null before the first connection. */
    @Volatile
    internal var serverInput: InputSize? = null
        private set

    @Volatile
    internal var isConnected = false
        private set

    /** Until when the key has no frames left, in seconds of `System.nanoTime`. */
    @Volatile
    internal var quotaUntil = Double.NEGATIVE_INFINITY
        private set

    @Volatile
    internal var sentBytes = 0L
        private set

    @Volatile
    internal var connections = 0L
        private set

    init {
        worker.execute(::connect)
        worker.scheduleWithFixedDelay(guarded(::tick), TICK_MS, TICK_MS, TimeUnit.MILLISECONDS)
    }

    /** How many more frames the server takes now; 0 without a connection. */
    @Volatile
    public var creditsLeft: Int = 0
        private set

    /** The class names of the server's model; empty before the first connection. */
    @Volatile
    public var classNames: List<String> = emptyList()
        private set

    /**
     * Ask for the detections of an encoded image.
     *
     * @param captureUs capture time in microseconds; names the frame in the answer, and rises.
     * @param deadlineSeconds how long an answer is of use.
     * @return whether it was queued: false without a credit for it, or where it is too big.
     */
    public fun ask(image: ByteArray, width: Int, height: Int, codec: Codec, captureUs: Long, deadlineSeconds: Double): Boolean =
        worker.submit<Boolean> {
            val frame = session.submit(EncodedImage(image, width, height, codec), captureUs, now() + deadlineSeconds)
            if (frame != null) asked[frame.sequence] = frame
            sendFrames()
            frame != null
        }.get()

    /** Frames without an answer. */
    public fun inFlight(): Int = worker.submit<Int> { session.inFlight }.get()

    private fun connect() {
        if (closed) return
        val headers = mapOf("Authorization" to "Bearer $key")
        var current: Connection? = null
        current = transport.connect(address, SUBPROTOCOL, headers, object : ConnectionEvents {
            override fun onOpen() = later(current) {
                helloAt = now()
                it.send(session.hello().encode())
            }

            override fun onMessage(text: String) = later(current) { received(text) }

            override fun onClosed(code: Int, httpStatus: Int, reason: String) = later(current) { lost(code, httpStatus, reason) }
        })
        connection = current
    }

    /** Run `task` on the worker, unless the connection is no longer the one in use. */
    private fun later(from: Connection?, task: (Connection) -> Unit) {
        if (closed) return
        try {
            worker.execute(guarded { connection?.let { if (from == null || it === from) task(it) } })
        } catch (ended: java.util.concurrent.RejectedExecutionException) {
            // close() has been called
        }
    }

    private fun received(text: String) {
        val (message, frame) = try {
            session.messageReceived(text)
        } catch (error: CloudException) {
            connection?.close()
            lost(0, 0, error.message.orEmpty())
            return
        }
        when (message) {
            is Welcome -> welcomed(message)
            is Result -> {
                link.answered(message.sequence, (message.queueMs + message.workMs) / 1000, now())
                answered(message, frame)
            }
            is Reject -> {
                link.answered(message.sequence, 0.0, now())
                if (message.reason == "over_quota") quotaUntil = now() + message.retryAfterMs / 1000.0
                if (frame != null && asked.remove(frame.sequence) != null) listener.onNoAnswer(frame.captureUs, message.reason)
            }
            else -> isConnected = session.state == ClientSession.State.OPEN
        }
        sendFrames()
    }

    private fun welcomed(message: Welcome) {
        attempt = 0
        connections++
        link.welcomed(now() - helloAt)
        classNames = message.classes
        serverInput = InputSize(message.inputHeight, message.inputWidth)
        isConnected = true
    }

    private fun answered(message: Result, frame: PendingFrame?) {
        if (frame == null) return
        if (asked.remove(frame.sequence) != null) {
            listener.onDetections(frame.captureUs, message.detections)
        } else {
            listener.onLateDetections(frame.captureUs, message.detections)
        }
    }

    private fun sendFrames() {
        val current = connection
        while (current != null) {
            val (frame, message) = session.frameToSend(now()) ?: break
            if (!current.send(message)) {
                frame.sent = false
                break
            }
            link.sent(frame.sequence, message.size, now())
            sentBytes += message.size
        }
        creditsLeft = session.creditsLeft
    }

    private fun tick() {
        for (frame in session.expire(now())) {
            if (asked.remove(frame.sequence) != null) listener.onNoAnswer(frame.captureUs, "expired")
        }
        sendFrames()
    }

    private fun lost(code: Int, httpStatus: Int, reason: String) {
        session.connectionLost()
        connection = null
        creditsLeft = 0
        isConnected = false
        link.lost()
        if (closed) return
        if (code in FINAL_CODES || httpStatus in FINAL_STATUSES) {
            closed = true
            listener.onRefused(CloudException("the server refuses: ${reason.ifEmpty { "${maxOf(code, httpStatus)}" }}", "Check the key and the address"))
            return
        }
        val longest = minOf(FIRST_WAIT_MS shl minOf(attempt++, 6), LONGEST_WAIT_MS)
        worker.schedule(guarded(::connect), random.nextInt(longest + 1).toLong(), TimeUnit.MILLISECONDS)
    }

    private fun guarded(task: () -> Unit): Runnable = Runnable {
        try {
            task()
        } catch (error: RuntimeException) {
            // A listener that throws must not end the worker.
            Thread.currentThread().uncaughtExceptionHandler?.uncaughtException(Thread.currentThread(), error)
        }
    }

    private fun now(): Double = System.nanoTime() / 1e9

    /** Say goodbye and close; frames without an answer are given up. */
    override fun close() {
        val last: Future<*> = worker.submit {
            closed = true
            connection?.send(BYE)
            connection?.close()
        }
        last.get(5, TimeUnit.SECONDS)
        worker.shutdownNow()
        link.close()
    }

    private companion object {
        const val TICK_MS = 20L
        const val FIRST_WAIT_MS = 250
        const val LONGEST_WAIT_MS = 10_000
        val FINAL_CODES = setOf(1009, 4400, 4401, 4403, 4409)
        val FINAL_STATUSES = setOf(400, 401, 403, 404)
    }
}

/** The address of the stream, which is encrypted unless it stays on this machine. */
internal fun checkedUrl(url: String): String {
    val local = Regex("ws://(localhost|127\\.0\\.0\\.1|\\[::1])(:\\d+)?").matches(url)
    if (!local && !Regex("wss://[^/?#@]+").matches(url)) {
        throw CloudException("the address $url", "Use wss://HOST:PORT; ws:// to this machine only")
    }
    return url + STREAM_PATH
}
