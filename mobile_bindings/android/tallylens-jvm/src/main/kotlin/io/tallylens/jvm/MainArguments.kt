package io.tallylens.jvm

import io.tallylens.CounterOptions
import io.tallylens.Line
import io.tallylens.Zone
import java.io.File

/** The arguments of the programs of this module: `FRAMES MODEL`, and options of the counter. */
internal class MainArguments(arguments: Array<String>) {
    val frames = File(arguments[0])
    val model = File(arguments[1])
    val options: CounterOptions.Builder = CounterOptions.Builder().source(arguments[0])

    /** Options of one program, with their values. */
    val others = HashMap<String, String>()

    init {
        var i = 2
        while (i < arguments.size) {
            val name = arguments[i++]
            if (name == "--any-class") options.anyClass() else take(name, arguments[i++])
        }
    }

    private fun take(name: String, value: String) {
        when (name) {
            "--line" -> options.lines(numbers(value).let { Line(it[0], it[1], it[2], it[3]) })
            "--zone" -> options.zones(Zone(numbers(value)))
            "--classes" -> options.classes(*value.split(",").toTypedArray())
            "--litert" -> options.liteRtLibrary(value)
            "--trace" -> others[name] = value
            else -> throw IllegalArgumentException("unknown option $name")
        }
    }

    private fun numbers(text: String): List<Float> = text.split(",").map { it.trim().toFloat() }
}
