// SPDX-License-Identifier: Apache-2.0

import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Client URL BODY-FILE CALLS STEP [NAME VALUE]...: calls over JSSE, on one connection. */
class Client {
	static SSLContext trusting(String file) throws Exception {
		KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
		store.load(null, null);
		try (var in = new FileInputStream(file)) {
			store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
		}
		var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
		trust.init(store);
		SSLContext context = SSLContext.getInstance("TLS");
		context.init(null, trust.getTrustManagers(), null);
		return context;
	}

	public static void main(String[] args) throws Exception {
		var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1)
				.sslContext(trusting(System.getenv("SSL_CERT_FILE"))).build();
		byte[] body = Files.readAllBytes(Path.of(args[1]));
		for (int i = 0; i < Integer.parseInt(args[2]); i++) {
			var request = HttpRequest.newBuilder(URI.create(args[0]))
					.header("content-type", "application/json")
					.POST(HttpRequest.BodyPublishers.ofByteArray(body));
			for (int j = 4; j + 1 < args.length; j += 2)
				request.header(args[j], args[j + 1]);
			var answer = client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
			System.out.println("done " + answer.statusCode() + " " + answer.body().length);
			if (args[3].equals("step"))
				System.in.read();
		}
	}
}
