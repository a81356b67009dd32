package io.tallylens

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.Parameterized

/** The scenes of `counting.json` and `ignored.json`, whole and saved half way. */
@RunWith(Parameterized::class)
class CountingVectorsTest(private val name: String, private val case: JsonObject, private val interrupted: Boolean) {
    private val expected = case.getValue("expected").jsonObject

    @Test
    fun case() {
        val options = Vectors.options(case)
        val anyClass = case.options().optional("any_class")?.boolean ?: false
        val classes = List(if (anyClass) 4 else case.options().optional("num_classes")?.int ?: 4) { "$it" }
        var counter = Counter.fromDetections(classes, options)
        val events = ArrayList<CountEvent>()
        val ids = HashSet<Long>()
        val refused = ArrayList<Int>()
        val frames = case.getValue("frames").jsonArray
        for ((index, frame) in frames.withIndex()) {
            if (interrupted && index == frames.size / 2) counter = resumed(counter, classes, options)
            if (index == case.optional("reset_before")?.int) counter.reset()
            val timestamp = frame.jsonArray[0].jsonPrimitive.long
            try {
                val update = counter.countDetections(Vectors.detections(frame.jsonArray[1]), 640, 480, timestamp)
                ids += update.tracks.map { it.trackId }
                events += update.events
            } catch (late: TimestampException) {
                refused += index
            }
        }
        counter.use { check(it.currentReport(), events, ids, refused) }
    }

    private fun resumed(counter: Counter, classes: List<String>, options: CounterOptions): Counter {
        val state = try {
            counter.saveState()
        } catch (nothing: StateException) {
            return counter
        }
        counter.close()
        return Counter.fromDetections(classes, options).apply { restoreState(state) }
    }

    private fun check(report: CountReport, events: List<CountEvent>, ids: Set<Long>, refused: List<Int>) {
        assertEquals(totals(expected.getValue("unique")), report.unique)
        val lines = expected.getValue("lines").jsonArray.map { it.jsonObject }
        assertEquals(lines.map { totals(it.getValue("in")) }, report.lines.map { it.crossedIn })
        assertEquals(lines.map { totals(it.getValue("out")) }, report.lines.map { it.crossedOut })
        val zones = expected.getValue("zones").jsonArray.map { it.jsonObject }
        assertEquals(zones.map { totals(it.getValue("entered")) }, report.zones.map { it.entered })
        assertEquals(zones.map { totals(it.getValue("left")) }, report.zones.map { it.left })
        assertEquals(zones.map { totals(it.getValue("now")) }, report.zones.map { it.now })
        zones.forEachIndexed { i, zone -> inSpan(report.zones[i].maxDwellSeconds, zone.getValue("max_dwell_s")) }
        expected["events"]?.jsonArray?.let { checkEvents(it, events) }
        expected.optional("ids")?.let { assertEquals(it.int, ids.size) }
        assertEquals(expected["refused"]?.jsonArray?.map { it.jsonPrimitive.int }.orEmpty(), refused)
        expected.optional("frames")?.let { assertEquals(it.long, report.frames) }
        expected.optional("ignored")?.let { assertEquals(it.long, report.uncounted.ignoredDetections) }
        expected.optional("unconfirmed")?.let { assertEquals(it.long, report.uncounted.shortTracks) }
    }

    private fun checkEvents(wanted: JsonArray, events: List<CountEvent>) {
        val told = events.map { Triple(it.kind.key, it.place, it.classId) }
        assertEquals(
            wanted.map { it.jsonObject }.map {
                Triple(it.optional("kind")!!.content, it.optional("place")!!.int, it.optional("class_id")!!.int)
            },
            told,
        )
        wanted.forEachIndexed { i, one -> inSpan(events[i].timestampNanos / 1e9, one.jsonObject.getValue("seconds")) }
    }

    private fun inSpan(value: Double, span: JsonElement) {
        val (low, high) = span.jsonArray.map { it.jsonPrimitive.double }
        assertTrue("$name: $value is not in $low..$high", value in low..high)
    }

    /** Totals by class id, as totals by the class names of this test. */
    private fun totals(counts: JsonElement): Map<String, Long> {
        val anyClass = case.options().optional("any_class")?.boolean ?: false
        return counts.jsonObject.entries.associate { (id, number) ->
            (if (anyClass) "object" else id) to number.jsonPrimitive.long
        }
    }

    companion object {
        @JvmStatic
        @Parameterized.Parameters(name = "{0} {2}")
        fun cases(): List<Array<Any>> = (Vectors.cases("counting.json") + Vectors.cases("ignored.json")).flatMap { case ->
            listOf(false, true).map { arrayOf(case.optional("name")!!.content, case, it) }
        }
    }
}

internal fun JsonObject.optional(key: String): JsonPrimitive? = this[key]?.jsonPrimitive

internal fun JsonObject.options(): JsonObject = this["options"]?.jsonObject ?: JsonObject(emptyMap())
