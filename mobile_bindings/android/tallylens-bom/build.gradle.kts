plugins {
    `java-platform`
    `maven-publish`
}

dependencies {
    constraints {
        api(project(":tallylens-core"))
        api(project(":tallylens-android"))
    }
}

publishing {
    publications.register<MavenPublication>("bom") { from(components["javaPlatform"]) }
}
