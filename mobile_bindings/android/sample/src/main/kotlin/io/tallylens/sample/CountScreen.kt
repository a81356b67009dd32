package io.tallylens.sample

import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import io.tallylens.CountReport
import io.tallylens.Counter

/** The totals of a counter, as they change. */
@Composable
public fun CountScreen(counter: Counter) {
    val report by counter.report.collectAsState()
    Totals(report)
}

@Composable
private fun Totals(report: CountReport) {
    Column(Modifier.safeDrawingPadding().padding(16.dp)) {
        Text("${report.engine}, ${report.frames} frames, ${report.dropped} dropped")
        for (line in report.lines) {
            Text("${line.name}: in ${line.crossedIn}, out ${line.crossedOut}")
        }
        for (warning in report.warnings) Text(warning)
    }
}
