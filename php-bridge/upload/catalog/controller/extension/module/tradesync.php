<?php

use Tradesync\Callback;
use Tradesync\Problem;
use Tradesync\Settings;

/**
 * Where the service calls the shop (docs/bridge.md): signed, safe to repeat, a fraction of a second each.
 */
class ControllerExtensionModuleTradesync extends Controller
{
    public function index()
    {
        try {
            $secret = Settings::of($this->registry)->secret('bridge_secret');
        } catch (Problem $problem) {
            // The key file is gone: the administrator has to save the settings anew.
            $secret = '';
        }
        $callback = new Callback($secret, DIR_IMAGE, function ($key) {
            $this->cache->delete($key);
        }, time());
        list($status, $answer) = $callback->answer($this->request->server, function () {
            return file_get_contents('php://input');
        });
        $words = [
            200 => 'OK', 401 => 'Unauthorized', 405 => 'Method Not Allowed', 413 => 'Payload Too Large', 422 => 'Unprocessable Entity',
            503 => 'Service Unavailable', 507 => 'Insufficient Storage',
        ];
        $this->response->addHeader('HTTP/1.1 ' . $status . ' ' . $words[$status]);
        $this->response->addHeader('Content-Type: application/json; charset=utf-8');
        $this->response->addHeader('Cache-Control: no-store');
        $this->response->setOutput(json_encode($answer, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES));
    }
}
