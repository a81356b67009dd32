package io.tallylens.cloud

import io.tallylens.CloudException

/** The image of a frame as it is sent. */
internal class EncodedImage(val data: ByteArray, val width: Int, val height: Int, val codec: Codec = Codec.JPEG)

/** A frame without an answer; times in seconds of the caller's clock. */
internal class PendingFrame(val sequence: Long, val captureUs: Long, val expires: Double, var image: EncodedImage) {
    var sent = false
    var repeated = false
    var expired = false
}

/**
 * The client's end of a session, over all its connections. No I/O; times are given.
 *
 *     CONNECTING --welcome--> OPEN --drain--> DRAINING
 *     every state --connectionLost--> CONNECTING
 */
internal class ClientSession(private val first: Hello = Hello()) {
    enum class State { CONNECTING, OPEN, DRAINING }

    var state = State.CONNECTING
        private set
    var welcome: Welcome? = null
        private set
    private var credits = 0
    private var last = 0L
    private var resumable = true
    private val open = LinkedHashMap<Long, PendingFrame>()

    /** How many more frames may be submitted now. */
    val creditsLeft: Int get() = if (state == State.OPEN) maxOf(0, credits - open.size) else 0

    /** Frames that are still of use and have no answer. */
    val inFlight: Int get() = open.values.count { !it.expired }

    /** The first message of a connection; it asks for the session of the one before. */
    fun hello(): Hello = welcome?.takeIf { resumable }?.let(first::resuming) ?: first

    /** Queue a frame to be sent; null where there is no credit for it or it is too big. */
    fun submit(image: EncodedImage, captureUs: Long, expires: Double): PendingFrame? {
        val limit = minOf(welcome?.frameBytes ?: 0, MAX_FRAME_BYTES.toLong())
        if (creditsLeft == 0 || last >= MAX_SEQUENCE || image.data.size > limit) return null
        return PendingFrame(++last, captureUs, expires, image).also { open[it.sequence] = it }
    }

    /** The oldest frame that is still worth sending, as a message; it then counts as sent. */
    fun frameToSend(now: Double): Pair<PendingFrame, ByteArray>? {
        if (state != State.OPEN) return null
        val frame = open.values.firstOrNull { !it.sent && it.expires > now } ?: return null
        frame.sent = true
        val left = ((frame.expires - now) * 1000).toLong().coerceIn(1, MAX_SEQUENCE)
        val image = frame.image
        val header = FrameMessage(frame.sequence, frame.captureUs, left, image.width, image.height, image.codec, frame.repeated)
        return frame to header.encode(image.data)
    }

    /**
     * A message of the server, and the frame that it answers; an answer without a frame repeats an earlier one.
     *
     * @throws CloudException invalid, or an answer before the welcome.
     */
    fun messageReceived(text: String): Pair<ServerMessage, PendingFrame?> {
        val message = decodeServer(text)
        when (message) {
            is Welcome -> welcomed(message)
            is Drain -> state = State.DRAINING
            else -> if (state == State.CONNECTING) throw violation("the server answered before its welcome")
        }
        return when (message) {
            is Result -> message to answered(message.sequence, message.credits)
            is Reject -> message to answered(message.sequence, message.credits)
            else -> message to null
        }
    }

    private fun answered(sequence: Long, credits: Int): PendingFrame? {
        this.credits = credits
        return open.remove(sequence)
    }

    /** Mark the frames that the server does not have to be sent again, oldest first. */
    private fun welcomed(welcome: Welcome) {
        this.welcome = welcome
        credits = welcome.credits
        resumable = true
        if (state == State.CONNECTING) state = State.OPEN
        val frames = open.values.iterator()
        for (frame in frames) {
            if (welcome.resumed && frame.sent && frame.sequence <= welcome.ack) continue
            if (frame.expired) {
                frames.remove()
                continue
            }
            frame.repeated = frame.repeated || frame.sent
            frame.sent = false
        }
    }

    /** The connection has ended; frames wait for the next one until they expire. */
    fun connectionLost() {
        state = State.CONNECTING
    }

    /** Ask for a new session next time: the server does not accept the one before. */
    fun startOver() {
        resumable = false
    }

    /** Give up the frames whose time is over, oldest first. One that was sent still takes a credit. */
    fun expire(now: Double): List<PendingFrame> =
        open.values.filter { !it.expired && it.expires <= now }.onEach(::giveUp)

    /** Give up one frame early. */
    fun cancel(frame: PendingFrame) {
        if (open[frame.sequence] === frame) giveUp(frame)
    }

    private fun giveUp(frame: PendingFrame) {
        frame.expired = true
        if (!frame.sent) open.remove(frame.sequence)
        frame.image = EncodedImage(ByteArray(0), frame.image.width, frame.image.height, frame.image.codec)
    }
}
