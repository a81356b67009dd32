// Runs the counter for the checks and benchmarks. It counts a frame file and prints the report as
// `tallylens count --json` does:
//
//     TallyLensConformance FRAMES MODEL [--line x1,y1,x2,y2]... [--zone x,y,...]... [--classes a,b]
//                          [--any-class] [--litert LIBRARY] [--trace FILE]
//                          [--state FILE [--every SECONDS]]
//
// `--trace` writes the detections (as float bits) and events of each frame as JSON lines, and the time
// of each frame in nanoseconds. With `--state` the count goes on from the file, and is saved there.
//
//     TallyLensConformance cloud FRAMES URL FPS          a server detects; see `askServer`
//     TallyLensConformance offload FRAMES MODEL URL MODE ...  a server may detect; see `countWithServer`
//     TallyLensConformance walk STATE FIRST_FRAME LAST_FRAME    see Walk.swift
//     TallyLensConformance live SECONDS                         see Live.swift
import Foundation
import TallyLens
import TallyLensLiteRT

do {
    let words = Array(CommandLine.arguments.dropFirst())
    switch words.first {
    case "cloud": try askServer(Array(words.dropFirst()))
    case "offload": try countWithServer(Array(words.dropFirst()))
    case "walk": try walk(Array(words.dropFirst()))
    case "live": try live(Array(words.dropFirst()))
    default: try run(words)
    }
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(2)
}
